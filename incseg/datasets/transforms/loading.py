import functools
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.constants import MAX_CLASSES, VOID
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.pseudo_labels.pseudo_label_view import PseudoLabelView
from incseg.datasets.transforms.label_fit import check_fit, notice_orientation
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS
from incseg.utils.pictures import load_picture
from incseg.utils.pictures.rule import PLAIN
from incseg.utils.rules import expected


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Decode ``img_path`` into ``img``, unless the sample already has ``img``.

    Adds ``img`` (uint8 ``(H, W, 3)``, BGR), ``img_shape`` and ``ori_shape``
    (both ``(H, W)``), and ``orientation``, EXIF's number in the file, where it is not 1.  The
    sample's ``picture_rule`` says whether the picture is turned by it, and how more than
    8 bits are scaled.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file is not an image, is cut short or damaged, or the rule
            does not cover it.
    """

    def transform(self, results: dict) -> dict:
        if 'img' not in results:
            rule = results.get('picture_rule', PLAIN)
            results['img'], header = load_picture(results['img_path'], rule)
            if header is not None and header.orientation != 1:
                results['orientation'] = header.orientation
        img = results['img']
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise expected(
                f'dtype and shape of image {results.get("img_path", "in memory")!r}',
                (str(img.dtype), img.shape),
                'uint8 and (H, W, 3), BGR',
            )
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class LoadLabels(BaseTransform):
    """Load the label map of the image.

    The sample's ``label_reader`` turns file ids into dataset ids.  If the
    sample has a ``label_lut`` (uint8 ``(256,)``), they become train ids; both
    tables are composed, so that each pixel is mapped once.  A ``gt_seg_map``
    that the sample already has holds dataset ids.

    The transform comes after :class:`LoadImage`, and before every geometric
    transform except a :class:`Resize` (labels then keep their own size, for
    evaluation).  It adds ``gt_seg_map``, uint8 ``(H, W)``, and adds that key to
    ``seg_fields``.

    Raises:
        MissingFileError: The label file does not exist.
        InvalidInputError: The label file is not a label map, has an id outside
            the data set, or another size than its image.
    """

    def transform(self, results: dict) -> dict:
        if 'moved_by' in results:
            name = type(self).__name__
            raise InvalidInputError(
                f'pipeline has {name} after a {results["moved_by"]}, which left the labels '
                f'behind, expected {name} first'
            )
        label_map, name, reader = self.read(results)
        check_fit(label_map, name, results)
        reader = reader or reader_in_memory(MAX_CLASSES)
        results['gt_seg_map'] = reader.convert(label_map, name, results.get('label_lut'))
        fields = results.setdefault('seg_fields', [])
        if 'gt_seg_map' not in fields:
            fields.append('gt_seg_map')
        return results

    def read(self, results: dict) -> tuple[np.ndarray, str, LabelReader | None]:
        """Return the label map, its name in errors, and its reader (None: it has dataset ids).

        Returns:
            The first: uint8 ``(H, W)``, ids as in the file.

        Raises:
            MissingFileError: The label file does not exist.
            InvalidInputError: It is no label map.
        """
        reader: LabelReader | None = results.get('label_reader')
        if 'gt_seg_map' not in results:
            name = results['seg_map_path']
            label_map = (read_label_file if reader is None else reader.read_file)(name)
            notice_orientation(label_map, results)
            return label_map, name, reader
        reader = None if reader is None else reader_in_memory(reader.num_classes)
        return results['gt_seg_map'], f'gt_seg_map of {results.get("image_id")}', reader

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@functools.lru_cache
def reader_in_memory(num_classes: int) -> LabelReader:
    """Return the reader of label maps in memory: they hold dataset ids, not file ids."""
    return LabelReader(num_classes)


@TRANSFORMS.register_module()
class LoadPseudoLabels(LoadLabels):
    """Load the pseudo-labels of an image in place of its mask; replaces :class:`LoadLabels`.

    The files hold dataset ids, which the sample's ``label_lut`` turns into train ids.
    Without ``threshold``, ``uncertain`` and ``gating`` the label map is the stored PNG.
    With one of them it is made anew from the stored scores: each pixel gets the class with
    the highest score, or the background if that is not higher than the background's score.
    The transform adds ``gt_seg_map`` as :class:`LoadLabels` does.

    Args:
        folders: ``<root>/<protocol>/<step>``, or several, for training several
            steps at once.  A pixel is then read from the first folder whose label map has
            a class there, not background and not void.
        threshold: The background's score at every pixel, 0 to 1.  None: the score that the
            labels were made with, see ``bg`` in their ``meta.json``.
        uncertain: 0 to 1; a pixel becomes void if the highest score of a class and the
            background's score differ by less than this.
        gating: Whether scores of classes that the sample's ``image_labels``, bool ``(C + 1,)``
            by dataset id, rule out are left out.
        mask_classes: Dataset ids of the classes that are learned from masks.  If the mask
            of an image shows one of them, these classes and void are taken from
            the mask, and pseudo-labels of other classes fill the rest.  An
            image without such a mask has only its pseudo-labels.

    Raises:
        MissingFileError: An image has no pseudo-labels, or no scores where they
            are needed.  Where there are several folders, or masks, an image may be missing in
            a folder if it shows no class of that folder's ``meta.json``.
        InvalidInputError: An argument or a file is not as described, or the
            labels have another size than the image, or ids that are not in
            ``meta.json``.
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
            raise expected(
                'folders of LoadPseudoLabels', folders, 'one or more <root>/<protocol>/<step>'
            )
        self.views = [PseudoLabelView(name, threshold, uncertain) for name in names]
        self.gating = gating
        self.mask_classes = list(mask_classes)

    def read(self, results: dict) -> tuple[np.ndarray, str, LabelReader | None]:
        """Return the pseudo-labels of the sample's image, their name in errors and their reader.

        Returns:
            The first: uint8 ``(H, W)``, dataset ids.

        Raises:
            MissingFileError: The image has no pseudo-labels, or no scores where they are read.
            InvalidInputError: They do not fit the image's mask, or the sample has no
                ``image_labels`` where they are needed.
        """
        mask = self._mask(results) if self.mask_classes else None
        image_labels = results.get('image_labels')
        if self.gating and image_labels is None:
            raise InvalidInputError(
                'LoadPseudoLabels(gating=True) needs image_labels in the sample; give the data '
                'set image_labels, for instance dict(type="MaskImageLabels")'
            )
        visible = image_labels if self.gating else None
        if image_labels is None and mask is not None:
            image_labels = np.bincount(mask.ravel(), minlength=256) > 0
        labels_elsewhere = len(self.views) > 1 or mask is not None
        label: np.ndarray | None = None
        for view in self.views:
            image_id = results['image_id']
            if (
                labels_elsewhere
                and image_labels is not None
                and not view.has(image_id)
                and not image_labels[view.meta['ids']].any()
            ):
                continue
            part = view.label_map(image_id, visible)
            label = part.copy() if label is None else _fill(label, part, view)
        if label is None:
            label = np.zeros(results['ori_shape'], np.uint8)
        if mask is not None:
            if label.shape != mask.shape:
                raise expected(
                    f'size of the pseudo-labels of {results["image_id"]!r}',
                    label.shape,
                    f'{mask.shape} (height, width), as its mask',
                )
            label[np.isin(label, self.mask_classes)] = 0
            if np.isin(mask, self.mask_classes).any():
                from_mask = np.isin(mask, [*self.mask_classes, VOID])
                label[from_mask] = mask[from_mask]
        reader = results.get('label_reader')
        name = str(self.views[0].files.label_path(results['image_id']))
        return label, name, reader_in_memory(reader.num_classes if reader else MAX_CLASSES)

    def _mask(self, results: dict) -> np.ndarray | None:
        exists = 'gt_seg_map' in results or results.get('seg_map_path') is not None
        if not (exists and results.get('has_mask', True)):
            return None
        label_map, name, reader = super().read(results)
        return (reader or reader_in_memory(MAX_CLASSES)).convert(label_map, name)

    def __repr__(self) -> str:
        folders = [str(view.files.folder) for view in self.views]
        return (
            f'{type(self).__name__}(folders={folders}, threshold={self.views[0].threshold}, '
            f'uncertain={self.views[0].uncertain}, gating={self.gating}, '
            f'mask_classes={self.mask_classes})'
        )


def _fill(label: np.ndarray, other: np.ndarray, view: PseudoLabelView) -> np.ndarray:
    """Replace background and uncertain pixels of ``label`` by the next step's labels."""
    if label.shape != other.shape:
        raise expected(
            f"size of the pseudo-labels in '{view.files.folder}'",
            other.shape,
            f'{label.shape} (height, width), as those of an earlier step',
        )
    replaced = (label == 0) | ((label == VOID) & (other != 0))
    return np.where(replaced, other, label)
