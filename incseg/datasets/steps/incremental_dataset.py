import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from torch.utils.data import Dataset

from incseg.constants import VOID
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.steps.sample_seed import sample_seed
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import DATASETS, TASK_UTILS, TRANSFORMS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.rules import any_of, expected

_MODES = ('train', 'test')
_FUTURE = ('void', 'background')


@DATASETS.register_module()
class IncrementalDataset(Dataset):
    """The images of any data set at one step of a protocol, with the step's labels.

    Mode ``train``: the images that the protocol selects for the step, labelled
    by ``Protocol.train_lut``.  Mode ``test``: every image, labelled by
    ``Protocol.eval_lut``; the label files are not scanned.

    The index of an item is a number or ``(number, seed)``.  With a seed the
    sample is a function of both, in any process and any order.

    Args:
        dataset: A :class:`SegDataset` or its config dict.  Its own pipeline is
            not used.
        protocol: A :class:`Protocol`, or its arguments as a dict;
            ``num_classes`` is taken from the data set.  Any other object with its
            methods ``select``, ``train_lut``, ``eval_lut``, ``new`` and ``seen`` serves
            too, or the config of one in ``TASK_UTILS``.  Where it has ``hidden``, every
            training sample has these train ids in its meta information.
        step: Number of the step, from 0.
        pipeline: Transforms, or their config dicts; their input has
            ``label_reader`` and ``label_lut`` for :class:`LoadLabels`.
        mode: ``'train'`` or ``'test'``.
        all_images: Whether to train on all images, also those that the protocol
            does not select.
        void_as_background: Whether void becomes background in training, as in MiB.
        num_workers: Number of processes that scan the label files; by default one
            per processor core.
        image_labels: Config of a :class:`BaseImageLabels`.  Images are then
            selected by these labels instead of their masks, and the pipeline's
            input has their row as ``image_labels``, bool ``(C + 1,)``.
        future: What a class of a later step is in mode ``test``: ``'void'``, or ``'background'``
            as in the published codes of PLOP and WILSON.
        metainfo: ``classes`` and ``palette`` by train id; by default those of the data
            set, in the order of the protocol.

    Raises:
        InvalidInputError: An argument is out of range, or the step has no image.
        MissingFileError: See :class:`SegDataset`.
    """

    def __init__(
        self,
        dataset: SegDataset | Mapping[str, Any],
        protocol: Protocol | Mapping[str, Any] | Any,
        step: int,
        pipeline: Sequence[dict | Callable],
        mode: str = 'train',
        all_images: bool = False,
        void_as_background: bool = False,
        num_workers: int | None = None,
        image_labels: Mapping[str, Any] | None = None,
        future: str = 'void',
        metainfo: Mapping[str, Any] | None = None,
    ) -> None:
        if mode not in _MODES:
            raise expected('mode of IncrementalDataset', mode, any_of(_MODES))
        if future not in _FUTURE:
            raise expected('data.future', future, any_of(_FUTURE))
        self.dataset: SegDataset = (
            dataset if isinstance(dataset, SegDataset) else DATASETS.build(dict(dataset))
        )
        self.dataset.full_init()
        self.protocol = _protocol_for(protocol, self.dataset.num_classes)
        self.step = step
        self.mode = mode
        self._metainfo = metainfo
        self.void_as_background = void_as_background
        self.pipeline = Compose(
            [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline]
        )
        #: uint8 ``(256,)``: train id of each dataset id.
        self.label_lut: np.ndarray
        #: int64 ``(len(self),)``: the index of each image in the data set.
        self.indices: np.ndarray = np.arange(len(self.dataset))
        #: train ids of the classes that label 0 may hide; None for all old classes
        self.hidden: tuple[int, ...] | None = None
        #: bool ``(images of the data set, C + 1)``, or None without ``image_labels``.
        self.image_labels: np.ndarray | None = None
        if image_labels is not None:
            source = TASK_UTILS.build(dict(image_labels), default_args=dict(dataset=self.dataset))
            self.image_labels = source.labels(self.dataset.image_ids)
        if mode == 'test':
            self.label_lut = self.protocol.eval_lut(step)
            if future == 'background':
                known = self.label_lut[: self.dataset.num_classes + 1]
                self.label_lut[: len(known)] = np.where(known == VOID, 0, known)
        else:
            self.label_lut = self.protocol.train_lut(step, void_as_background)
            if hasattr(self.protocol, 'hidden'):
                self.hidden = self.protocol.hidden(step)
            if not all_images:
                presence = self.image_labels
                if presence is None:
                    presence = on_rank_zero(self.dataset.presence, num_workers=num_workers)
                self.indices = self.protocol.select(presence, step)
                if not len(self.indices):
                    raise InvalidInputError(self._why_empty(presence))

    @property
    def metainfo(self) -> dict[str, Any]:
        """``classes`` and ``palette`` by train id: the background and all seen classes."""
        if self._metainfo is not None:
            return dict(self._metainfo)
        order = (0, *self.protocol.seen(self.step))
        meta = self.dataset.metainfo
        return dict(
            classes=tuple(meta['classes'][i] for i in order),
            palette=[meta['palette'][i] for i in order],
        )

    @property
    def image_ids(self) -> list[str]:
        """The id of every image of this step, in order."""
        ids = self.dataset.image_ids
        return [ids[i] for i in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int | tuple[int, int]) -> Any:
        index, seed = item if isinstance(item, tuple) else (item, None)
        return self.sample(int(self.indices[index]), self.label_lut, seed)

    def sample(
        self, index: int, label_lut: np.ndarray, seed: int | None = None, **extra: Any
    ) -> Any:
        """Send an image of the underlying data set through this step's pipeline.

        Args:
            index: Index of the image in ``self.dataset``.
            label_lut: uint8 ``(256,)``: train id of each dataset id.
            seed: Seed of the random transforms; None does not seed them.
            extra: Further entries of the pipeline's input.

        Returns:
            The pipeline's result, for example that of :class:`PackSegInputs`.

        Raises:
            InvalidInputError: A transform returned None.
        """
        info = self.dataset.get_data_info(index)
        if self.hidden is not None:
            info['hidden'] = self.hidden
        info.update(extra, label_lut=label_lut)
        if self.image_labels is not None:
            info['image_labels'] = self.image_labels[index]
        with sample_seed(seed):
            sample = self.pipeline(info)
        if sample is None:
            raise InvalidInputError(
                f'a transform of the pipeline returned None for image {info["image_id"]!r}, '
                'expected every sample'
            )
        return sample

    def _why_empty(self, presence: np.ndarray) -> str:
        names = self.dataset.metainfo['classes']
        new = list(self.protocol.new(self.step))
        listed = ', '.join(f'{i} {names[i]}' for i in new)
        kind = type(self.dataset).__name__
        if self.image_labels is None and not presence[:, 1:].any():
            return (
                f'step {self.step} has no training image: the label maps of all {len(presence)} '
                f'images of {kind} hold no class, only background (0) or void (255).  If 255 marks '
                f'an object in them (binary masks), write the id of its class instead ({listed})'
            )
        with_new = int(presence[:, new].any(1).sum())
        if not with_new:
            return (
                f'step {self.step} has no training image: none of the {len(presence)} images '
                f'of {kind} shows one of its classes ({listed}); use another split, '
                f'class_order or step size{remark_on_ids(self.dataset, presence)}'
            )
        reason = (
            'were drawn for other steps, whose classes they show too'
            if self.protocol.setting == 'partitioned'
            else 'also show classes of later steps'
        )
        return (
            f'step {self.step} has no training image in setting {self.protocol.setting!r}: '
            f'all {with_new} images of {kind} that show its classes ({listed}) {reason}; use '
            "setting='overlap', another class_order, or larger steps"
        )


def remark_on_ids(dataset: SegDataset, presence: np.ndarray | None = None) -> str:
    """Return the end of a message where the masks look as if their ids started at 0 for a class.

    The files of such a data set have no background.  Of ids 0 to C then only the last is missing.

    Args:
        dataset: A data set.
        presence: Bool ``(images, C + 1)``, its classes; read from the masks by default.

    Returns:
        The remark; an empty text if the masks show the last class or lack another one, or if the
        data set says what its ids mean.
    """
    shown = np.asarray((dataset.presence() if presence is None else presence).any(0))
    own = (dataset.label_reader.table[: len(shown)] != np.arange(len(shown))).any()
    if own or shown[-1] or not shown[:-1].all():
        return ''
    last = len(shown) - 1
    return (
        f'.  The masks hold the ids 0 to {last - 1}, but never {last}: if they have no background '
        'and 0 is the first class, say so with file_ids, a list of the classes in the order of ids'
    )


def _protocol_for(protocol: Any, num_classes: int) -> Any:
    """Build the protocol from its arguments, and check that it has the data set's classes.

    Args:
        protocol: A protocol, its arguments as a dict, or the config of another object.
        num_classes: C of the data set.

    Raises:
        InvalidInputError: The arguments are not those of :class:`Protocol`, or the protocol
            is for another number of classes.
    """
    if isinstance(protocol, Mapping) and 'type' in protocol:
        return TASK_UTILS.build(dict(protocol))
    if isinstance(protocol, Mapping):
        arguments = list(inspect.signature(Protocol).parameters)
        if not {'base', 'increment'} <= {*protocol} <= {*arguments}:
            raise expected(
                'protocol',
                dict(protocol),
                'a dict with base and increment, and maybe other arguments of Protocol: '
                f'{", ".join(arguments)}',
            )
        protocol = Protocol(**{'num_classes': num_classes, **protocol})
    if isinstance(protocol, Protocol) and protocol.num_classes != num_classes:
        raise expected(
            'num_classes of the protocol', protocol.num_classes, f'{num_classes}, as the data set'
        )
    return protocol
