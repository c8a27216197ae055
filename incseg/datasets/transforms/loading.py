import functools
import os
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from incseg.constants import MAX_CLASSES, VOID
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.pseudo_labels.pseudo_label_view import PseudoLabelView
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import TRANSFORMS

_ALLOWED = 'allowed is a complete JPEG, PNG or other image that OpenCV reads'


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Decode ``img_path`` into ``img``, unless the sample brings one already.

    Adds ``img`` (uint8 ``(H, W, 3)``, BGR), ``img_shape`` and ``ori_shape``
    (both ``(H, W)``).

    Raises:
        MissingFileError: there is no such file.
        InvalidInputError: it is no image, or cut short; names the file.
    """

    def transform(self, results: dict) -> dict:
        if 'img' not in results:
            results['img'] = _read(results['img_path'])
        img = results['img']
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise InvalidInputError(
                f'image {results.get("img_path", "in memory")!r} is {img.dtype} {img.shape}; '
                'allowed is uint8 (H, W, 3), BGR'
            )
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _read(path: str | os.PathLike) -> np.ndarray:
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except FileNotFoundError as error:
        raise MissingFileError(f'image {path!r} does not exist') from error
    except OSError as error:
        raise InvalidInputError(f'image {path!r} cannot be read ({error}); {_ALLOWED}') from error
    if not data:
        raise InvalidInputError(f'image {path!r} is an empty file; {_ALLOWED}')
    if _is_cut_jpeg(data):
        raise InvalidInputError(f'image {path!r} is cut short; {_ALLOWED}')
    img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if img is None:
        raise InvalidInputError(f'image {path!r} cannot be decoded; {_ALLOWED}')
    return img


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks the end marker after its last scan.

    Some versions of OpenCV fill the missing part with grey and say nothing.
    """
    if data[:2] != b'\xff\xd8':
        return False
    end = data.rfind(b'\xff\xd9')  # of a whole file at its end, so that little is searched
    return data.find(b'\xff\xda', max(end, 0)) >= 0


@TRANSFORMS.register_module()
class LoadLabels(BaseTransform):
    """Load the label map that belongs to the image.

    Ids of the file become dataset ids by the sample's ``label_reader``, and
    train ids if the sample has a ``label_lut`` (uint8 ``(256,)``): both tables
    are composed, so the mask is mapped once and stays uint8.  A ``gt_seg_map``
    that the sample brings along holds dataset ids.

    Comes after :class:`LoadImage`, and before everything that moves the image
    except a :class:`Resize` (labels then keep their own size, for evaluation).
    Adds ``gt_seg_map`` (uint8 ``(H, W)``) and its name to ``seg_fields``.

    Raises:
        MissingFileError: the label file does not exist.
        InvalidInputError: the label file is no label map, has an id outside
            the data set, or another size than its image.
    """

    def transform(self, results: dict) -> dict:
        if 'moved_by' in results:
            name = type(self).__name__
            raise InvalidInputError(
                f'pipeline has {name} after a {results["moved_by"]}, which left the labels '
                f'behind; allowed is {name} first'
            )
        raw, name, reader = self.read(results)
        _check_fit(raw, name, results)
        reader = reader or reader_in_memory(MAX_CLASSES)
        results['gt_seg_map'] = reader.convert(raw, name, results.get('label_lut'))
        fields = results.setdefault('seg_fields', [])
        if 'gt_seg_map' not in fields:
            fields.append('gt_seg_map')
        return results

    def read(self, results: dict) -> tuple[np.ndarray, str, LabelReader | None]:
        """The raw label map, its name in errors, and what its ids mean (None: dataset ids)."""
        reader: LabelReader | None = results.get('label_reader')
        if 'gt_seg_map' not in results:
            name = results['seg_map_path']
            return read_label_file(name), name, reader
        reader = None if reader is None else reader_in_memory(reader.num_classes)
        return results['gt_seg_map'], f'gt_seg_map of {results.get("image_id")}', reader

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _check_fit(label: np.ndarray, name: str, results: dict) -> None:
    if label.dtype != np.uint8 or label.ndim != 2:
        raise InvalidInputError(
            f'label map {name!r} is {label.dtype} {label.shape}; allowed is uint8 (H, W)'
        )
    if label.shape != tuple(results['ori_shape']):
        sizes = [f'{height} x {width}' for height, width in (label.shape, results['ori_shape'])]
        raise InvalidInputError(
            f'label map {name!r} is {sizes[0]} but its image '
            f'{results.get("img_path", "in memory")!r} is {sizes[1]} (height x width); '
            'allowed is the same size'
        )


@functools.lru_cache
def reader_in_memory(num_classes: int) -> LabelReader:
    """Arrays hold dataset ids, whatever the files of the data set hold."""
    return LabelReader(num_classes)


@TRANSFORMS.register_module()
class LoadPseudoLabels(LoadLabels):
    """Load pseudo-labels in place of the masks; takes the place of :class:`LoadLabels`.

    The files hold dataset ids, so they go the way of a mask from there on:
    they become train ids by the sample's ``label_lut``.  Without ``threshold``,
    ``uncertain`` and ``gating`` the PNGs are taken as they are, else the labels
    are made anew from the scores.

    Args:
        folders: ``<root>/<protocol>/<step>``, or several, for training several
            steps at once.  Of several, a pixel gets the class of the first that
            gives it one.
        threshold: the background's score, 0 to 1, in place of the rule in
            ``meta.json``; of refined scores in place of the background's map.
        uncertain: pixels whose best class is closer than this to the
            background become void.
        gating: whether only classes of the sample's ``image_labels`` (bool
            ``(C + 1,)``) may occur.
        mask_classes: dataset ids that are annotated by masks: in an image whose
            mask shows one of them, they and void are taken from the mask, and
            pseudo-labels of other classes fill the rest.  An image without a
            mask has its pseudo-labels as they are.

    Raises:
        MissingFileError: an image has no pseudo-labels, or no scores though
            they are needed.  One of several folders, or one beside the image's
            mask, may lack an image that shows none of its classes.
        InvalidInputError: an argument or a file is not acceptable, or the
            labels have another size than the image, or ids that ``meta.json``
            does not name.
    """

    def __init__(
        self,
        folders: str | Sequence[str],
        threshold: float | None = None,
        uncertain: float | None = None,
        gating: bool = False,
        mask_classes: Sequence[int] = (),
    ) -> None:
        names = [folders] if isinstance(folders, str) else list(folders)
        if not names:
            raise InvalidInputError(
                'folders of LoadPseudoLabels is empty; allowed is <root>/<protocol>/<step>, or '
                'several'
            )
        self.views = [PseudoLabelView(name, threshold, uncertain) for name in names]
        self.gating = gating
        self.mask_classes = list(mask_classes)

    def read(self, results: dict) -> tuple[np.ndarray, str, LabelReader | None]:
        """The pseudo-labels of the sample's image, its name in errors, and how to read them."""
        mask = self._mask(results) if self.mask_classes else None
        shown = results.get('image_labels')
        if self.gating and shown is None:
            raise InvalidInputError(
                'LoadPseudoLabels(gating=True) needs image_labels in the sample; give the data '
                'set image_labels, for instance dict(type="MaskImageLabels")'
            )
        visible = shown if self.gating else None
        if shown is None and mask is not None:
            shown = np.bincount(mask.ravel(), minlength=256) > 0
        labels_elsewhere = len(self.views) > 1 or mask is not None
        label: np.ndarray | None = None
        for view in self.views:
            image_id = results['image_id']
            if (
                labels_elsewhere
                and shown is not None
                and not view.has(image_id)
                and not shown[view.meta['ids']].any()
            ):
                continue
            found = view.label_map(image_id, visible)
            label = found.copy() if label is None else _fill(label, found, view)
        if label is None:
            label = np.zeros(results['ori_shape'], np.uint8)
        if mask is not None:
            if label.shape != mask.shape:
                raise InvalidInputError(
                    f'pseudo-labels of {results["image_id"]!r} are {label.shape[0]} x '
                    f'{label.shape[1]}, its mask {mask.shape[0]} x {mask.shape[1]} (height x '
                    'width); allowed is the same size'
                )
            label[np.isin(label, self.mask_classes)] = 0
            if np.isin(mask, self.mask_classes).any():
                taken = np.isin(mask, [*self.mask_classes, VOID])
                label[taken] = mask[taken]
        reader = results.get('label_reader')
        name = str(self.views[0].files.label_path(results['image_id']))
        return label, name, reader_in_memory(reader.num_classes if reader else MAX_CLASSES)

    def _mask(self, results: dict) -> np.ndarray | None:
        there = 'gt_seg_map' in results or results.get('seg_map_path') is not None
        if not (there and results.get('has_mask', True)):
            return None
        raw, name, reader = super().read(results)
        return (reader or reader_in_memory(MAX_CLASSES)).convert(raw, name)

    def __repr__(self) -> str:
        folders = [str(view.files.folder) for view in self.views]
        return (
            f'{type(self).__name__}(folders={folders}, threshold={self.views[0].threshold}, '
            f'uncertain={self.views[0].uncertain}, gating={self.gating}, '
            f'mask_classes={self.mask_classes})'
        )


def _fill(label: np.ndarray, other: np.ndarray, view: PseudoLabelView) -> np.ndarray:
    """What ``label`` leaves open, background or uncertain, from the next step's labels."""
    if label.shape != other.shape:
        raise InvalidInputError(
            f"pseudo-labels in '{view.files.folder}' are {other.shape[0]} x {other.shape[1]}, "
            f'those of an earlier step {label.shape[0]} x {label.shape[1]} (height x width); '
            'allowed is the same size'
        )
    taken = (label == 0) | ((label == VOID) & (other != 0))
    return np.where(taken, other, label)
