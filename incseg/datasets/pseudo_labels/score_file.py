"""Scores of the classes in one image, as 8-bit numbers in a compressed ``.npz``."""

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.files import write_atomically

_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_EXPECTED = (
    'expected an .npz of ids int16 (k,), score uint8 (k, h, w), stride and '
    'size int32 (2,), with h and w the size divided by the stride, rounded up'
)


@dataclass(frozen=True)
class ScoreFile:
    """The content of a file of scores.

    Attributes:
        ids: int16 ``(k,)``, the dataset ids of the maps.
        score: uint8 ``(k, h, w)``, 255 times the scores, rounded.
        stride: Side of the block of image pixels that one score stands for;
            ``h = ceil(H / stride)``.
        size: ``(H, W)`` of the image.
    """

    ids: np.ndarray
    score: np.ndarray
    stride: int
    size: tuple[int, int]

    @classmethod
    def quantise(cls, ids: Sequence[int], scores: np.ndarray, stride: int = 1) -> 'ScoreFile':
        """Turn float scores into 8-bit scores, in the whole image or as means of blocks.

        Args:
            ids: k dataset ids of the maps.
            scores: ``(k, H, W)`` of 0 to 1; not changed.
            stride: Side of the square blocks of pixels whose mean is kept; 1 keeps every
                pixel.  Incomplete blocks at the right and bottom repeat the last row and
                column.
        """
        height, width = scores.shape[1:]
        if stride > 1:
            padding = ((0, 0), (0, -height % stride), (0, -width % stride))
            padded = (
                np.pad(scores, padding, mode='edge')
                if scores.size
                else np.zeros((0, *(n + -n % stride for n in (height, width))), scores.dtype)
            )
            k, rows, columns = padded.shape
            blocks = padded.reshape(k, rows // stride, stride, columns // stride, stride)
            scores = blocks.mean((2, 4))
        return cls(
            np.asarray(ids, np.int16),
            np.rint(scores * 255).astype(np.uint8),
            stride,
            (height, width),
        )

    def full_size(self) -> np.ndarray:
        """Return the scores at the image's size, float32 ``(k, H, W)`` of 0 to 1.

        With a stride above 1 they are interpolated bilinearly between the blocks' centres.
        """
        scores = self.score.astype(np.float32) / 255
        if self.stride == 1:
            return scores
        height, width = self.size
        full = np.empty((len(scores), height, width), np.float32)
        for coarse, fine in zip(scores, full, strict=True):
            enlarged = cv2.resize(
                coarse, None, fx=self.stride, fy=self.stride, interpolation=cv2.INTER_LINEAR
            )
            fine[:] = enlarged[:height, :width]
        return full

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            SaveError: The file cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            ids=self.ids,
            score=self.score,
            stride=np.int32(self.stride),
            size=np.asarray(self.size, np.int32),
        )
        write_atomically(path, buffer.getvalue(), durable=False)

    @classmethod
    def read(cls, path: str | os.PathLike) -> 'ScoreFile':
        """Read a file of scores that :meth:`write` wrote; nothing is unpickled.

        Raises:
            MissingFileError: There is no such file.
            InvalidInputError: The file is damaged or has another content.
        """
        try:
            with np.load(path, allow_pickle=False) as content:
                height, width = content['size'].tolist()
                scores = cls(
                    content['ids'], content['score'], int(content['stride']), (height, width)
                )
        except FileNotFoundError as error:
            raise MissingFileError(f"score file '{path}' does not exist") from error
        except _BROKEN as error:
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise InvalidInputError(
                f"score file '{path}' cannot be read ({reason}), {_EXPECTED}"
            ) from error
        if not scores._is_sound():
            raise InvalidInputError(
                f"score file '{path}' has ids {scores.ids.dtype} {scores.ids.shape}, score "
                f'{scores.score.dtype} {scores.score.shape}, stride {scores.stride}, size '
                f'{scores.size}, {_EXPECTED}'
            )
        return scores

    def _is_sound(self) -> bool:
        if self.stride < 1:
            return False
        expected = (len(self.ids), *(-(-n // self.stride) for n in self.size))
        return (
            self.ids.dtype == np.int16
            and self.ids.ndim == 1
            and self.score.dtype == np.uint8
            and self.score.shape == expected
        )
