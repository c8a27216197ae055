"""The base class of backbones, and the BatchNorm that they use."""

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.registry import MODELS, part_of
from incseg.utils.rules import any_of, expected

#: names in 0.1 -> present names of the maps that class activation maps read, and their channels
CAM_NAMES = {'taps': 'cam_stages', 'tap_channels': 'cam_stage_channels'}
#: strides of the deepest map that can be asked for
OUTPUT_STRIDES = (8, 16, 32)


class BaseBackbone(nn.Module, ABC):
    """Base class of backbones: a subclass works with every head and every method.

    A subclass sets the two attributes and implements :meth:`forward_stages`;
    the other methods have defaults.  A segmentor calls the backbone itself,
    ``backbone(x)`` or ``backbone(x, stages=True)``, never its methods, so that
    hooks and compilation reach every pass.

    Attributes:
        out_channels: Channels of the maps that heads read.  The last map is the one that
            the principal head reads.
        stage_channels: Channels of the residual stages, see :meth:`forward_stages`.
    """

    out_channels: tuple[int, ...]
    stage_channels: tuple[int, ...]

    @property
    def cam_stage_channels(self) -> tuple[int, ...]:
        """Channels of the three maps of :meth:`cam_stages`."""
        return self.stage_channels[-3:]

    def cam_stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps that class activation maps and their refinement read (SEAM).

        By default they are the last three residual stages.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            Three activated maps, shallow to deep, each ``(N, C_i, h_i, w_i)``.
        """
        return tuple(F.relu(stage) for stage in self.forward_stages(x)[1][-3:])

    taps, tap_channels = cam_stages, cam_stage_channels  # their names in 0.1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give a map that a subclass overrides under its old or its present name both names."""
        super().__init_subclass__(**kwargs)
        for old, new in CAM_NAMES.items():
            if new in vars(cls):
                setattr(cls, old, vars(cls)[new])
            elif old in vars(cls):
                warnings.warn(
                    f'{cls.__name__}.{old} is now called {new}; the old name goes in 0.3',
                    DeprecationWarning,
                    stacklevel=2,
                )
                setattr(cls, new, vars(cls)[old])

    def early_layers(self) -> tuple[nn.Module, ...]:
        """Return the layers that fine-tuning (:class:`SEAM`) does not train; by default none."""
        return ()

    def init_weights(self) -> None:
        """Load pretrained weights if the config asks for them; by default there are none."""

    @classmethod
    def input_scaling(cls, **options: Any) -> dict[str, Any] | None:
        """Return how pixels are scaled for the pretrained weights; None for the usual scaling.

        The network stores this scaling with its weights, see :class:`SegDataPreProcessor`.

        Args:
            options: The arguments of the constructor.

        Returns:
            ``mean`` and ``std``, a number of 0 to 255 for each of red, green and blue.
        """
        return None

    def norm_layers(self) -> tuple[nn.Module, ...]:
        """Return the layers with running statistics of their input; by default every BatchNorm.

        A method may freeze them, so that a few images of new classes do not change the
        statistics (``frozen=['backbone_norm']``, :class:`SEAM`).
        """
        return tuple(module for module in self.modules() if isinstance(module, _BatchNorm))

    def forward(self, x: Tensor, stages: bool = False) -> Any:
        """Return the maps that heads read, and on request the residual stages.

        Args:
            x: ``(N, 3, H, W)``, normalised.
            stages: Whether the result is that of :meth:`forward_stages`, not of
                :meth:`forward_maps`.

        Returns:
            A tuple of maps, each ``(N, C_i, h_i, w_i)``; with ``stages`` a pair of such tuples.
        """
        return self.forward_stages(x) if stages else self.forward_maps(x)

    def forward_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps that heads read, each ``(N, C_i, h_i, w_i)``.

        The default takes them from :meth:`forward_stages`; override it where that
        costs more than the maps need.

        Args:
            x: ``(N, 3, H, W)``, normalised.
        """
        return self.forward_stages(x)[0]

    @abstractmethod
    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the maps that heads read, and the residual stages, from one pass.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            The maps of :meth:`forward_maps`; and one map ``(N, C_i, h_i, w_i)`` per residual
            stage, shallow to deep: the sum of branch and short cut in its last block, before the
            activation.  Terms that compare networks layer by layer (PLOP's pooled distillation)
            read the stages.
        """


def scaling_of(backbone: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how pixels are scaled for a backbone's weights, see :class:`BaseBackbone`.

    Args:
        backbone: Config of the backbone.
    """
    scaling = getattr(part_of(backbone.get('type'), MODELS), 'input_scaling', None)
    options = {key: value for key, value in backbone.items() if key != 'type'}
    return None if scaling is None else scaling(**options)


def hands_out_stages(backbone: nn.Module) -> bool:
    """Say whether ``forward`` of a backbone takes the argument ``stages``."""
    return 'stages' in inspect.signature(backbone.forward).parameters


def check_maps(backbone: Any, maps: Any, attribute: str) -> tuple[Tensor, ...]:
    """Return the maps of a backbone as a tuple if they have the channels that it declares.

    Args:
        backbone: The backbone.
        maps: Its maps, each ``(N, C_i, h_i, w_i)``.
        attribute: Its attribute with the ``C_i``: ``'out_channels'`` or ``'stage_channels'``.

    Raises:
        InvalidInputError: If they are no such maps.
    """
    listed = isinstance(maps, Sequence) and all(isinstance(each, Tensor) for each in maps)
    channels = [each.shape[1] for each in maps] if listed else type(maps).__name__
    declared = list(getattr(backbone, attribute, channels))
    if channels != declared:
        method = 'forward_maps' if attribute == 'out_channels' else 'forward_stages'
        raise expected(
            f'the list of channels that {type(backbone).__name__}.{method} returns',
            channels,
            f'{declared}, its {attribute}',
        )
    return tuple(maps)


def check_pair(backbone: Any, pair: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the result of ``forward_stages`` as two tuples of tensors, if it has the right form.

    Args:
        backbone: The backbone.
        pair: Its result: the maps that heads read, and the residual stages.

    Raises:
        InvalidInputError: If it is no pair, or :func:`check_maps` refuses the maps or stages.
    """
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise expected(
            f'the result of {type(backbone).__name__}.forward_stages',
            type(pair).__name__,
            'a pair: the maps that heads read, and the residual stages',
        )
    maps, stages = pair
    return check_maps(backbone, maps, 'out_channels'), check_maps(
        backbone, stages, 'stage_channels'
    )


def complete_cam_names(backbone: nn.Module) -> nn.Module:
    """Give a backbone that only has the names of incseg 0.1 for its maps their present names too.

    The backbone itself is changed and returned.
    """
    for old, new in CAM_NAMES.items():
        if hasattr(backbone, old) and not hasattr(backbone, new):
            object.__setattr__(backbone, new, getattr(backbone, old))
    return backbone


def no_stages(backbone: nn.Module) -> str:
    """Return the end of an error message about a backbone that does not return its stages."""
    return (
        f"the backbone's residual stages, which {type(backbone).__name__} does not offer: "
        'its forward() has no argument stages, see BaseBackbone'
    )


def check_output_stride(kind: str, value: Any) -> None:
    """Refuse a stride of the deepest map that is none of :data:`OUTPUT_STRIDES`.

    Args:
        kind: Name of the backbone's class.
        value: Its argument ``output_stride``.

    Raises:
        InvalidInputError: Naming both.
    """
    if type(value) is not int or value not in OUTPUT_STRIDES:
        raise expected(f'{kind} output_stride', value, any_of(OUTPUT_STRIDES))


def check_places(key: str, places: Any, count: int, what: str = '') -> list[int]:
    """Return the numbers of chosen maps or layers, once they are ascending and there.

    Args:
        key: The argument, as the user writes it.
        places: Its value.
        count: How many there are to choose from.
        what: What is numbered, in words that follow a comma.

    Raises:
        InvalidInputError: They are no such list of one or more numbers.
    """
    listed = isinstance(places, Sequence) and not isinstance(places, str)
    numbers = list(places) if listed else []
    right = all(type(i) is int and 0 <= i < count for i in numbers)
    if not numbers or not right or numbers != sorted({*numbers}):
        words = f'numbers from 0 to {count - 1}, ascending{what and f", {what}"}'
        raise expected(key, list(places) if listed else places, words)
    return numbers


@MODELS.register_module('BN')
class BatchNorm(nn.BatchNorm2d):
    """BatchNorm that also trains on a single value per channel.

    One value has no variance, and torch refuses it.  It occurs with a batch of
    one after global pooling, or at stride 32 of a small image; then the
    running statistics are used, as in evaluation.
    """

    _abbr_ = 'bn'

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch.

        Args:
            x: ``(N, C, H, W)``.

        Returns:
            ``(N, C, H, W)``.
        """
        if not self.training or x.numel() > x.shape[1] or not self.track_running_stats:
            return super().forward(x)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=False,
            eps=self.eps,
        )
