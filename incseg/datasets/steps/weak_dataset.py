import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.dist import all_gather_object
from torch.utils.data import Dataset

from incseg.datasets.image_labels import BaseImageLabels
from incseg.datasets.image_labels.base import SCOPES
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.steps.sample_seed import sample_seed
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import DATASETS, TASK_UTILS, TRANSFORMS
from incseg.utils.distributed import share_of
from incseg.utils.rules import any_of, expected

#: called with a data set and indices of its images, yields for each image its index, the most
#: likely class of each pixel, uint8 ``(H, W)`` of dataset ids, and its probability, float32
#: ``(H, W)``
OldClassFinder = Callable[[SegDataset, Sequence[int]], Iterable[tuple[int, np.ndarray, np.ndarray]]]


@DATASETS.register_module()
class WeakDataset(Dataset):
    """Images of any data set, each with the list of its classes; samples have no mask.

    A sample's ``data_samples`` has ``gt_image_labels``, float32 ``(C,)``: 1
    for every class that the image shows.  The labels describe the whole image,
    even if a crop misses an object.

    The index of an item is a number or ``(number, seed)``, as in
    :class:`IncrementalDataset`.

    Args:
        dataset: A :class:`SegDataset` or its config dict.  Its own pipeline is
            not used.
        protocol: Says which classes and, with their labels, which images the step has.
        step: Number of the step, from 0.
        pipeline: Transforms, or their config dicts, none of which loads labels.
        scope: ``'step'``: the step's new classes and the images that the
            protocol selects for the step, as in incremental learning.
            ``'all'``: every class and every image, the same for all steps.
        image_labels: Source of the image-level labels, a
            :class:`BaseImageLabels` or its config dict; by default the masks.
        negatives: Negative examples for classes that every image shows: one of
            :mod:`incseg.datasets.negatives` or its config dict, or another data
            set, of which only the images are used.  A folder's pictures are read by the
            rule of ``dataset`` (``exif``, ``value_range``).  With an
            :class:`OldNetworkNegatives`, :meth:`apply_old_network` is called
            before the samples are used.

    Attributes:
        class_ids: Dataset ids of the labels' columns.  In learning order with
            scope ``'step'``; sorted with ``'all'``, so that protocols share the
            trained network.
        helper_ids: The ids among ``class_ids`` that are not classes of the
            step; they are the last columns.

    Raises:
        InvalidInputError: An argument is out of range, there is no image, or
            every image shows a class, so that it cannot be learned from
            image-level labels.
    """

    def __init__(
        self,
        dataset: SegDataset | Mapping[str, Any],
        protocol: Protocol,
        step: int,
        pipeline: Sequence[dict | Callable],
        scope: str = 'all',
        image_labels: BaseImageLabels | Mapping[str, Any] | None = None,
        negatives: Any = None,
    ) -> None:
        if scope not in SCOPES:
            raise expected('scope', scope, any_of(SCOPES))
        self.dataset: SegDataset = (
            dataset if isinstance(dataset, SegDataset) else DATASETS.build(dict(dataset))
        )
        self.dataset.full_init()
        self.negatives = (
            DATASETS.build(dict(negatives)) if isinstance(negatives, Mapping) else negatives
        )
        self.pipeline = Compose(
            [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline]
        )
        source = image_labels
        if source is None or isinstance(source, Mapping):
            source = TASK_UTILS.build(
                dict(source or dict(type='MaskImageLabels')),
                default_args=dict(dataset=self.dataset),
            )
        presence = source.labels(self.dataset.image_ids)
        self.class_ids: tuple[int, ...] = (
            tuple(sorted(protocol.class_order)) if scope == 'all' else protocol.new(step)
        )
        self.helper_ids: tuple[int, ...] = ()
        #: int64: the index of each image in the data set.
        self.indices: np.ndarray = (
            np.arange(len(self.dataset)) if scope == 'all' else protocol.select(presence, step)
        )
        #: float32 ``(images, C)``; the rows of the negatives come last.
        self.image_labels: np.ndarray = presence[self.indices][:, list(self.class_ids)].astype(
            np.float32
        )
        self._where = f'scope {scope!r}, step {step}'
        if not len(self.indices):
            raise InvalidInputError(
                f'{self._where}: no image of {type(self.dataset).__name__} shows one of the classes'
            )
        if not isinstance(self.negatives, OldNetworkNegatives):
            self._add_negatives()
            self._check()

    def apply_old_network(self, old_network: OldClassFinder) -> None:
        """Add the negatives that the previous step's network finds in the images.

        All processes of a group call this method and share the images.
        Without an :class:`OldNetworkNegatives` it does nothing.

        Args:
            old_network: Predicts with the previous step's network.  It is called with a
                data set and indices of its images, and yields for each its index, the
                most likely classes, uint8 ``(H, W)`` of dataset ids, and their
                probabilities, float32 ``(H, W)``.

        Raises:
            InvalidInputError: The network finds no negatives, or every image still shows
                one of the step's classes.
        """
        negatives = self.negatives
        if not isinstance(negatives, OldNetworkNegatives):
            return
        share = share_of(self.indices.tolist())
        findings = {
            index: negatives.look(label, confidence)
            for index, label, confidence in old_network(self.dataset, share)
        }
        all_findings: dict[int, Any] = {}
        for part in all_gather_object(findings):
            all_findings |= part
        indices = self.indices.tolist()
        negatives.gather(self.dataset, indices, [all_findings[index] for index in indices])
        self.helper_ids = negatives.class_ids
        self.class_ids += negatives.class_ids
        self.image_labels = np.concatenate(
            [self.image_labels, negatives.image_labels.astype(np.float32)], 1
        )
        self._add_negatives()
        self._check()

    def look_through(self, old_network: OldClassFinder) -> None:
        """Call :meth:`apply_old_network`; the old name of that method, until incseg 0.3."""
        warnings.warn('look_through is now apply_old_network', DeprecationWarning, stacklevel=2)
        self.apply_old_network(old_network)

    @property
    def metainfo(self) -> dict[str, Any]:
        """Names (``classes``) and colours (``palette``) of the classes in ``class_ids``."""
        meta = self.dataset.metainfo
        return dict(
            classes=tuple(meta['classes'][i] for i in self.class_ids),
            palette=[meta['palette'][i] for i in self.class_ids],
        )

    def __len__(self) -> int:
        return len(self.image_labels)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, Any]:
        index, seed = item if isinstance(item, tuple) else (item, None)
        if index < len(self.indices):
            info = self.dataset.get_data_info(int(self.indices[index]))
        else:
            info = self.negatives.get_data_info(int(index - len(self.indices)))
            info.setdefault('picture_rule', self.dataset.picture_rule)
        info.pop('gt_seg_map', None)  # data sets that are drawn come with their masks
        with sample_seed(seed):
            sample = self.pipeline(info)
        sample['data_samples'].gt_image_labels = torch.from_numpy(self.image_labels[index])
        return sample

    def _add_negatives(self) -> None:
        if self.negatives is None:
            return
        added = np.zeros((len(self.negatives), len(self.class_ids)), np.float32)
        if self.helper_ids:
            added[:, -len(self.helper_ids) :] = self.negatives.further_labels
        self.image_labels = np.concatenate([self.image_labels, added])

    def _check(self) -> None:
        if not self.image_labels.any():
            raise InvalidInputError(
                f'{self._where}: none of the {len(self)} images shows a class, by their labels'
            )
        num_own = len(self.class_ids) - len(self.helper_ids)
        everywhere = [
            name
            for name, share in zip(self.metainfo['classes'], self.image_labels[:, :num_own].mean(0))
            if share == 1
        ]
        if everywhere:
            raise InvalidInputError(
                f'{self._where}: each of the {len(self)} images shows {", ".join(everywhere)}, so '
                'nothing tells what the class looks like; name images without it, as '
                "dict(type='NegativeFolder', folder='…'), in seam.negatives (in method.negatives "
                'where the method itself reads the labels, as WILSON), or take a protocol with '
                "more classes per step; for SEAM also seam.negatives=dict(type='BackgroundCrops'), "
                "dict(type='OldModelLabels') or seam.scope='all'"
            )
