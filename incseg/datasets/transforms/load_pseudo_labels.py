from collections.abc import Sequence

import numpy as np

from incseg.datasets.label_reader import MAX_CLASSES, VOID, LabelReader
from incseg.datasets.pseudo_label_view import PseudoLabelView
from incseg.datasets.transforms.load_labels import LoadLabels, reader_in_memory
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS


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

    def __init__(self, folders: str | Sequence[str], threshold: float | None = None,
                 uncertain: float | None = None, gating: bool = False,
                 mask_classes: Sequence[int] = ()) -> None:
        names = [folders] if isinstance(folders, str) else list(folders)
        if not names:
            raise InvalidInputError(
                'folders of LoadPseudoLabels is empty; allowed is <root>/<protocol>/<step>, or '
                'several')
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
                'set image_labels, for instance dict(type="MaskImageLabels")')
        visible = shown if self.gating else None
        if shown is None and mask is not None:
            shown = np.bincount(mask.ravel(), minlength=256) > 0
        labels_elsewhere = len(self.views) > 1 or mask is not None
        label: np.ndarray | None = None
        for view in self.views:
            image_id = results['image_id']
            if (labels_elsewhere and shown is not None and not view.has(image_id)
                    and not shown[view.meta['ids']].any()):
                continue
            found = view.label_map(image_id, visible)
            label = found.copy() if label is None else _fill(label, found, view)
        if label is None:
            label = np.zeros(results['ori_shape'], np.uint8)
        if mask is not None:
            if label.shape != mask.shape:
                raise InvalidInputError(
                    f"pseudo-labels of {results['image_id']!r} are {label.shape[0]} x "
                    f'{label.shape[1]}, its mask {mask.shape[0]} x {mask.shape[1]} (height x '
                    'width); allowed is the same size')
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
        return (f'{type(self).__name__}(folders={folders}, threshold={self.views[0].threshold}, '
                f'uncertain={self.views[0].uncertain}, gating={self.gating}, '
                f'mask_classes={self.mask_classes})')


def _fill(label: np.ndarray, other: np.ndarray, view: PseudoLabelView) -> np.ndarray:
    """What ``label`` leaves open, background or uncertain, from the next step's labels."""
    if label.shape != other.shape:
        raise InvalidInputError(
            f"pseudo-labels in '{view.files.folder}' are {other.shape[0]} x {other.shape[1]}, "
            f'those of an earlier step {label.shape[0]} x {label.shape[1]} (height x width); '
            'allowed is the same size')
    taken = (label == 0) | ((label == VOID) & (other != 0))
    return np.where(taken, other, label)
