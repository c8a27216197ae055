"""What is predicted: pictures, folders of them, arrays, and the frames of videos."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from incseg.apis.image_files import SUFFIXES, Image
from incseg.errors import InvalidInputError, MissingFileError, UserError
from incseg.utils.outputs import free_names
from incseg.utils.pictures import read_picture
from incseg.utils.pictures.rule import PLAIN, PictureRule

# read when OpenCV opens its first video: our error is the one line about a file
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
VIDEOS = {'.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv'}


@dataclass
class Source:
    """A picture, an array or a video.

    Attributes:
        name: The name of its outputs: of a file without ending, of a video's folder.
        content: The path, or a BGR uint8 array ``(H, W, 3)``.
        skipped: What could not be read, in words; filled while :meth:`pictures` runs.
    """

    name: str
    content: Image
    skipped: list[str] = field(default_factory=list)

    @property
    def is_video(self) -> bool:
        """Whether it is a file with the ending of a video."""
        return is_video(self.content)

    def count(self, every: int) -> int:
        """Return how many pictures it has, as far as its header says.

        Args:
            every: One frame out of so many is taken.
        """
        if not self.is_video:
            return 1
        video = open_video(self.content)
        frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        video.release()
        return max(1, -(-frames // every))

    def pictures(
        self, every: int = 1, rule: PictureRule = PLAIN
    ) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield the name of the outputs, the file and the pixels of each picture.

        A picture or frame that cannot be read is skipped and named in :attr:`skipped`.

        Args:
            every: One frame of a video out of so many is taken, the first one first.
            rule: How a file's orientation and values of more than 8 bits are read.

        Yields:
            Name, as ``'street'`` or ``'drive/000012'``; the file's name, with the frame's number
            of a video; BGR uint8 ``(H, W, 3)``.
        """
        if isinstance(self.content, np.ndarray):
            yield self.name, self.name, self.content
        elif self.is_video:
            yield from self._frames(every)
        else:
            try:
                pixels = read_picture(self.content, rule)
            except UserError as error:
                self.skipped.append(str(error))
            else:
                yield self.name, str(self.content), pixels

    def _frames(self, every: int) -> Iterator[tuple[str, str, np.ndarray]]:
        video = open_video(self.content)
        total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        number = read = 0
        unread: list[int] = []
        while number < total or (total <= 0 and not unread):
            wanted = number % every == 0
            found, pixels = video.read() if wanted else (video.grab(), None)
            if not found:
                unread.append(number)
            elif pixels is not None:
                read += 1
                yield f'{self.name}/{number:06d}', f'{self.content}:{number}', pixels
            number += 1
        video.release()
        if total > 0 and unread:
            first, count = unread[0], len(unread)
            frames = 'frame' if count == 1 else 'frames'
            self.skipped.append(
                f'video {str(self.content)!r}: {count} of {total} {frames} could not be read, '
                f'first number {first}'
            )
        elif not read:
            self.skipped.append(f'video {str(self.content)!r}: no frame could be read')


def list_sources(inputs: Image | Sequence[Image]) -> tuple[list[Source], list[str]]:
    """Return what is to be predicted, in order.

    Args:
        inputs: Files, folders (their pictures and videos, sorted; no folders in them), arrays.

    Returns:
        The sources, each with a name of its own; lines about files of folders that are neither
        a picture nor a video.

    Raises:
        MissingFileError: There is no such file or folder.
        InvalidInputError: A folder holds no picture and no video, or nothing is named.
    """
    several = [inputs] if isinstance(inputs, (str, Path, np.ndarray)) else inputs
    contents: list[Image] = []
    notes = []
    for each in several:
        if isinstance(each, np.ndarray):
            contents.append(each)
            continue
        path = Path(each)
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            known = [file for file in files if file.suffix.lower() in SUFFIXES | VIDEOS]
            if not known:
                endings = ', '.join(sorted(SUFFIXES | VIDEOS))
                raise InvalidInputError(f'folder {path} holds no picture and no video ({endings})')
            contents += known
            others = [file.name for file in files if file not in known]
            if others:
                count = f'{len(others)} file{"s" * (len(others) > 1)}'
                notes.append(f'{count} of {path} is no picture and no video, first {others[0]}')
        elif path.is_file():
            contents.append(path)
        else:
            raise MissingFileError(f'no picture, video or folder at {path}')
    if not contents:
        raise InvalidInputError('nothing to predict, expected pictures, videos or folders')
    names = [
        f'{number:06d}' if isinstance(content, np.ndarray) else Path(content).stem
        for number, content in enumerate(contents)
    ]
    sources = [Source(name, content) for name, content in zip(free_names(names), contents)]
    for source in sources:
        if source.is_video:
            open_video(source.content).release()  # refused before anything is written
    return sources, notes


def is_video(content: Any) -> bool:
    """Say whether something is a file with the ending of a video."""
    return not isinstance(content, np.ndarray) and Path(content).suffix.lower() in VIDEOS


def open_video(path: Any) -> cv2.VideoCapture:
    """Open a video.

    Args:
        path: The file.

    Raises:
        InvalidInputError: OpenCV cannot read it.
    """
    name = str(path)
    readable = name.encode('utf-8', 'replace') == name.encode('utf-8', 'surrogateescape')
    video = cv2.VideoCapture(name if readable else '')
    if not readable or not video.isOpened():
        why = '' if readable else ' (its name is not UTF-8)'
        raise InvalidInputError(
            f'video {name!r} cannot be read by OpenCV{why}, expected a complete video of a format '
            'that it knows'
        )
    return video
