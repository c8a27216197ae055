from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch.utils.data import Dataset

from incseg.datasets.image_labels import BaseImageLabels
from incseg.datasets.image_labels.base import SCOPES
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.steps.sample_seed import sample_seed
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import DATASETS, TASK_UTILS, TRANSFORMS

#: what shows the old classes in some images of a data set: for each, its index, the most likely
#: class, uint8 (H, W) of dataset ids, and its probability, float32 (H, W)
OldClassFinder = Callable[[SegDataset, Sequence[int]], Iterable[tuple[int, np.ndarray, np.ndarray]]]


@DATASETS.register_module()
class WeakDataset(Dataset):
    """Images of any data set with the list of classes that each shows; no mask is read.

    A sample's ``data_samples`` has ``gt_image_labels``, float32 ``(C,)``: 1
    where the image shows the class.  They are those of the whole image, also
    where a crop misses an object.

    An item is asked for by its index, or by ``(index, seed)``, as in
    :class:`IncrementalDataset`.

    Args:
        dataset: a :class:`SegDataset` or its config dict.  Its own pipeline is
            not used.
        protocol: the protocol.
        step: the step, from 0.
        pipeline: transforms, or their config dicts, without loading of labels.
        scope: ``'step'``: the step's new classes and the images that the
            protocol selects for it, as incremental learning has them.
            ``'all'``: every class and every image, once for all steps.
        image_labels: which classes the images show, a :class:`BaseImageLabels`
            or its config dict; by default what is in their masks.
        negatives: what makes a class learnable that every image shows, as one
            of :mod:`incseg.datasets.negatives` or its config dict; another data
            set serves too, only its images are used.  An
            :class:`OldNetworkNegatives` has to :meth:`look_through` its network
            before the samples are used.

    Attributes:
        class_ids: dataset ids of the labels' columns, in learning order; with scope
            ``'all'`` in their own, so that protocols share what is learned.
        helper_ids: those of them that are no classes of the step, the last
            columns.

    Raises:
        InvalidInputError: an argument is not acceptable, there is no image, or
            a class is in every image: it cannot be learned from image labels.
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
            raise InvalidInputError(f'scope is {scope!r}; allowed are {", ".join(SCOPES)}')
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
        #: int64: which images of the data set these are.
        self.indices: np.ndarray = (
            np.arange(len(self.dataset)) if scope == 'all' else protocol.select(presence, step)
        )
        #: float32 ``(images, C)``, those of the negatives last.
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

    def look_through(self, old_network: OldClassFinder) -> None:
        """Complete the labels by what the network of the step before finds in the images.

        All processes of a group call this and share the images; without an
        :class:`OldNetworkNegatives` there is nothing to do.

        Raises:
            InvalidInputError: nothing was found that helps.
        """
        negatives = self.negatives
        if not isinstance(negatives, OldNetworkNegatives):
            return
        own = self.indices[get_rank() :: get_world_size()].tolist()
        found = {
            index: negatives.look(label, confidence)
            for index, label, confidence in old_network(self.dataset, own)
        }
        everything: dict[int, Any] = {}
        for part in all_gather_object(found):
            everything |= part
        indices = self.indices.tolist()
        negatives.gather(self.dataset, indices, [everything[index] for index in indices])
        self.helper_ids = negatives.class_ids
        self.class_ids += negatives.class_ids
        self.image_labels = np.concatenate(
            [self.image_labels, negatives.image_labels.astype(np.float32)], 1
        )
        self._add_negatives()
        self._check()

    @property
    def metainfo(self) -> dict[str, Any]:
        """``classes`` and ``palette`` of the labels' columns."""
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
        info.pop('gt_seg_map', None)  # drawn data sets bring their masks
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
        own = len(self.class_ids) - len(self.helper_ids)
        everywhere = [
            name
            for name, share in zip(self.metainfo['classes'], self.image_labels[:, :own].mean(0))
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
