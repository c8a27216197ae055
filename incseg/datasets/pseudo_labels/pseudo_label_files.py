"""The folder of a step's pseudo-labels: its files, and messages about missing ones."""

import os
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from incseg.constants import MAX_CLASSES, VOID
from incseg.datasets.label_maps.label_file import read_label_file, write_label_file
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.pseudo_labels.score_file import ScoreFile
from incseg.errors import InvalidInputError, MissingFileError, UserError
from incseg.utils.file_digests import digest_of, file_digests
from incseg.utils.files import read_json, write_json
from incseg.utils.rules import expected

VERSION = 1
#: the file with the digests of all others
DIGESTS = 'digests.json'


class PseudoLabelFiles:
    """The pseudo-labels of one step on disk, format version 1.

    Below the folder lie

    * ``meta.json``, the record of how they were made;
    * ``labels/<image id>.png``, palette PNGs of dataset ids, 255 = uncertain;
    * ``scores/<image id>.npz``, 8-bit scores (:class:`ScoreFile`), optional.

    A slash in an image id makes a subfolder.  See ``docs/pseudo_labels.md``.

    Args:
        folder: ``<root>/<protocol>/<step>``; it need not exist.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)

    @classmethod
    def of_step(cls, root: str | os.PathLike, protocol: str, step: int) -> 'PseudoLabelFiles':
        """Return the pseudo-labels of a step.

        Args:
            root: Root of the pseudo-labels of all protocols.
            protocol: Name of the protocol's folder.
            step: Number of the step, from 0.
        """
        return cls(Path(root, protocol, str(step)))

    @property
    def meta_path(self) -> Path:
        """The path of ``meta.json``."""
        return self.folder / 'meta.json'

    def label_path(self, image_id: str) -> Path:
        """Return the path of an image's PNG."""
        return self.folder / 'labels' / f'{image_id}.png'

    def score_path(self, image_id: str) -> Path:
        """Return the path of an image's scores."""
        return self.folder / 'scores' / f'{image_id}.npz'

    def write(self, image_id: str, label: np.ndarray, scores: ScoreFile | None = None) -> None:
        """Write an image's files, each whole or not at all; the PNG last.

        A complete folder is then one without digests again, see :meth:`write_digests`.

        Args:
            image_id: Id of the image.
            label: uint8 ``(H, W)`` of dataset ids, 255 = uncertain, made from
                the scores before they were quantised.
            scores: The scores, or None; ``k = 0`` if the image shows no class.

        Raises:
            SaveError: A file cannot be written.
        """
        if (self.folder / DIGESTS).is_file():
            self.open_again()
        if scores is not None:
            scores.write(self.score_path(image_id))
        write_label_file(self.label_path(image_id), label)

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of every file, by its path below the folder; empty while it is incomplete.

        Raises:
            InvalidInputError: The file of digests is damaged.
        """
        path = self.folder / DIGESTS
        if not path.is_file():
            return {}
        found = read_json(path, 'a file of digests', digest=True).get('files')
        if not isinstance(found, dict):
            raise expected(f"files of '{path}'", found, 'digests by file')
        return found

    def write_digests(self, image_ids: Iterable[str]) -> None:
        """Complete the folder: write the digests, by which every reader verifies a file.

        Args:
            image_ids: The ids of the images whose files are complete.

        Raises:
            SaveError: The file cannot be written.
        """
        paths = [make(name) for name in image_ids for make in (self.label_path, self.score_path)]
        files = [path for path in paths if path.is_file()]
        values = file_digests([str(path) for path in files])
        names = [path.relative_to(self.folder).as_posix() for path in files]
        found = {name: value.hex()[:16] for name, value in zip(names, values, strict=True)}
        write_json(self.folder / DIGESTS, dict(files=found))
        self.__dict__.pop('digests', None)

    def open_again(self) -> None:
        """Remove the digests, as files are about to change."""
        (self.folder / DIGESTS).unlink(missing_ok=True)
        self.__dict__.pop('digests', None)

    def verify(self, image_ids: Iterable[str]) -> None:
        """Compare the label maps of images with the digests, if the folder has them.

        Raises:
            InvalidInputError: Naming the first file that is not the one that was written.
        """
        if self.digests:
            for image_id in image_ids:
                self._verify(self.label_path(image_id))

    def _verify(self, path: Path) -> None:
        known = self.digests.get(path.relative_to(self.folder).as_posix())
        if known is not None and digest_of(path).hex()[:16] != known:
            raise InvalidInputError(
                f"'{path}' is damaged or was edited: it is not the file that was written; if its "
                f"labels are meant, remove '{self.folder / DIGESTS}'"
            )

    def states(self) -> list[tuple[str, int, int]]:
        """Return (name, size in bytes, modification time in ns) of every PNG and score file.

        A name is the path below the folder.  The PNGs come first, each kind is sorted by name.
        """
        states = []
        for folder in ('labels', 'scores'):
            for path in sorted((self.folder / folder).rglob('*.*')):
                state = path.stat()
                name = path.relative_to(self.folder).as_posix()
                states.append((name, state.st_size, state.st_mtime_ns))
        return states

    def read_label(self, image_id: str, ids: Collection[int] | None = None) -> np.ndarray:
        """Return the dataset ids of an image, uint8 ``(H, W)``.

        Args:
            image_id: Id of the image.
            ids: The ids in ``meta.json``; only these, 0 and 255 may occur.
                None allows every id.

        Raises:
            MissingFileError: The image has no PNG here.
            InvalidInputError: The PNG is damaged or was exchanged, is not a label map, or has
                another id.
        """
        path = self.label_path(image_id)
        label = read_label_file(path)
        self._verify(path)
        if ids is not None and _reader_of(tuple(ids)).has_foreign(label):
            _check_ids(path, np.unique(label).tolist(), ids)
        return label

    def read_scores(self, image_id: str, ids: Collection[int] | None = None) -> ScoreFile:
        """Return the scores of an image.

        Args:
            image_id: Id of the image.
            ids: The ids in ``meta.json``; only these and 0 may have a map.
                None allows every id.

        Raises:
            MissingFileError: The image has no scores here; the message says
                how to make them.
            InvalidInputError: The scores are damaged, or have another id.
        """
        path = self.score_path(image_id)
        if not path.is_file():
            raise MissingFileError(
                f"score file '{path}' does not exist; another threshold, an uncertain band or "
                'gating needs the scores: make the pseudo-labels with seam.inference.scores=True'
            )
        scores = ScoreFile.read(path)
        self._verify(path)
        if ids is not None:
            _check_ids(path, scores.ids.tolist(), ids)
        return scores

    def is_valid(
        self, image_id: str, with_scores: bool, ids: Collection[int] | None = None
    ) -> bool:
        """Return whether an image's files exist, can be read and have no other ids.

        Args:
            image_id: Id of the image.
            with_scores: Whether the scores are required too.
            ids: The ids in ``meta.json``; None allows every id.
        """
        try:
            size = self.read_label(image_id, ids).shape
            return not with_scores or self.read_scores(image_id, ids).size == size
        except UserError:
            return False

    def write_meta(self, meta: Mapping[str, Any]) -> None:
        """Write ``meta.json``: the given entries, and the ``version`` of the format.

        Raises:
            SaveError: The file cannot be written.
        """
        write_json(self.meta_path, {'version': VERSION, **meta})

    def read_meta(self) -> dict[str, Any]:
        """Return the content of ``meta.json``.

        Raises:
            MissingFileError: There is no such file; the message names the
                expected folder.
            InvalidInputError: The file is damaged, or of another version.
        """
        path = self.meta_path
        if not path.is_file():
            raise MissingFileError(no_labels(self.folder))
        meta = read_json(path, 'the meta.json of pseudo-labels')
        version = meta.get('version')
        if version != VERSION:
            raise expected(f"version of '{path}'", version, repr(VERSION))
        ids = meta.get('ids')
        if not isinstance(ids, list) or not all(type(i) is int and 0 < i < 255 for i in ids):
            raise expected(f"ids of '{path}'", ids, "a list of the step's dataset ids")
        return meta


@lru_cache
def _reader_of(ids: tuple[int, ...]) -> LabelReader:
    """Return a :class:`LabelReader` that refuses all ids but these, 0 and 255; it is cached."""
    return LabelReader(MAX_CLASSES, {i: i for i in (0, *ids)})


def _check_ids(path: Path, occurring: Iterable[int], ids: Collection[int]) -> None:
    foreign = sorted(set(occurring) - {0, VOID, *ids})
    if foreign:
        raise expected(
            f"a list of ids in pseudo-labels '{path}'",
            list(map(int, foreign)),
            f'0, {VOID} or ids of meta.json: {", ".join(map(str, ids))}',
        )


#: levels below a folder that are searched for pseudo-labels: ``<protocol>/<step>``
DEEPEST = 2


def label_folders(folder: Path) -> list[str]:
    """Return the subfolders of a root that hold pseudo-labels, as ``'<protocol>/<step>'``, sorted.

    A subfolder holds pseudo-labels if it has a ``meta.json``.

    Args:
        folder: The root, or the folder of one protocol; of that, ``'<step>'`` is returned.
    """
    folders = [
        path.parent.relative_to(folder)
        for depth in range(1, DEEPEST + 1)
        for path in folder.glob('/'.join(['*'] * depth + ['meta.json']))
    ]
    return sorted(path.as_posix() for path in folders)


def no_labels(folder: Path) -> str:
    """Return the error message for a folder without ``meta.json``.

    It names the expected folder and, if there are pseudo-labels nearby, the folders that hold
    them.
    """
    message = f"no pseudo-labels in '{folder}': "
    if not folder.is_dir():
        return (
            f'{message}there is no such folder; expected is <root>/<protocol>/<step>, which '
            'holds meta.json'
        )
    message += 'it has no meta.json; expected is <root>/<protocol>/<step>'
    folders = label_folders(folder)
    if folders:
        return f"{message}, here one of '{folder}/' + {', '.join(folders)}"
    above = next((path for path in folder.parents[:2] if (path / 'meta.json').is_file()), None)
    return f"{message}, here '{above}'" if above else f'{message}, and below it lie no labels'
