"""Encoders of other libraries as backbones: what heads and methods need is read from the model."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from incseg.errors import InvalidInputError
from incseg.models.backbones.activated_norm import with_own_norms
from incseg.models.backbones.base import BaseBackbone
from incseg.models.weights import load_fitting
from incseg.models.weights.fitting import few

#: heights and widths of the pictures of the probe: an even one, and one that no stride divides
EVEN, ODD = (64, 64), (33, 41)
#: sides of square pictures, tried in turn where 64 pixels are no multiple of the strides
SIDES = (64, 56, 72, 80, 96)
#: height and width, in largest strides, of a picture that tells near strides apart, as 14 and 16
MORE = (2, 9)
#: what a network raises that refuses the size of a picture
FAILURES = (AssertionError, IndexError, RuntimeError, TypeError, ValueError)
#: modules of timm and mmpretrain that pad by the size of the picture, as TensorFlow does
PADDED_BY_SIZE = (
    'Conv2dSame',
    'ScaledStdConv2dSame',
    'StdConv2dSame',
    'AvgPool2dSame',
    'MaxPool2dSame',
    'Conv2dAdaptivePadding',
)
#: modules with activations
ACTIVATIONS = ('torch.nn.modules.activation', 'timm.layers.activations')


class Encoder(BaseBackbone):
    """Base class of backbones around a network of another library.

    A subclass builds ``net`` and calls :meth:`read_model`, which passes a small picture
    through it.  The stages are maps before the activation that ends them, where a module of the
    network is that activation; a stage that ends in none is handed out as it is.

    Attributes:
        multiple: Pictures are padded to a multiple of this number of pixels.
        net: The network, without its classifier; its weights keep the library's names.
        out_channels: Channels of the maps, shallow to deep; as ``stage_channels``.
        strides: Strides of the maps.
        stages_before_activation: For each stage, whether its map has had no activation since
            its last sum or normalisation.
        weights_source: Where :meth:`init_weights` had the weights from; None for nowhere.
        whole: Names of weights before the layers behind the last map were cut off; None where
            nobody knows whether some were.
    """

    whole: tuple[str, ...] | None = ()
    net: Any
    pretrained: bool | str
    strides: tuple[int, ...]
    multiple: int = 1
    stages_before_activation: tuple[bool, ...]
    weights_source: str | None = None

    @abstractmethod
    def features(self, x: Tensor) -> list[Tensor]:
        """Return the map of each stage, ``(N, C_i, h_i, w_i)``, shallow to deep.

        Args:
            x: ``(N, 3, H, W)``, normalised.
        """

    @abstractmethod
    def weights(self) -> tuple[dict[str, Tensor], str]:
        """Return the pretrained weights by the names in ``net``, and where they come from."""

    def finish(self, maps: list[Tensor]) -> tuple[Tensor, ...]:
        """Return the maps that heads read; by default those of the stages.

        Args:
            maps: The result of :meth:`features`, each ``(N, C_i, h_i, w_i)``.

        Returns:
            As many maps of the same shapes, each ``(N, C_i, h_i, w_i)``.
        """
        return tuple(maps)

    def read_model(self) -> None:
        """Read channels, strides and activations from ``net``; its BatchNorms become our own.

        Raises:
            InvalidInputError: If the network takes pictures of one size only, or its maps do not
                lie at whole strides.
        """
        with_own_norms(self.net)
        self.net.eval()  # some return nothing, as mmpretrain's
        leaves = [
            (name, module)
            for name, module in self.net.named_modules()
            if type(module).__module__ in ACTIVATIONS
        ]
        with torch.no_grad(), outputs_of(leaves) as made:
            maps = self._probe()
        ends = [next((name for name, x in made if x is each), None) for each in maps]
        self._ends: tuple[str | None, ...] = tuple(ends)
        for end in ends:
            if end is not None and hasattr(self.net.get_submodule(end), 'inplace'):
                self.net.get_submodule(end).inplace = False  # its input is the stage's map
        self.stages_before_activation = tuple(
            end is not None or x.is_meta or bool(x.min() < 0) for end, x in zip(ends, maps)
        )
        self.out_channels = self.stage_channels = tuple(x.shape[1] for x in maps)
        self._find_multiple()
        self.net.train()

    def known_strides(self) -> tuple[int, ...] | None:
        """Return the strides that the other library names for the maps; None for unknown ones."""
        return None

    def _probe(self) -> list[Tensor]:
        """Set ``strides`` and return the maps of a picture that is a multiple of them."""
        known, reason, maps = self.known_strides(), '', None
        sides: tuple[int, ...] = SIDES
        if known is not None and EVEN[0] % (cell := math.lcm(*known)):
            sides = (-(-EVEN[0] // cell) * cell, *SIDES)
        for side in sides:
            try:
                maps = self.features(self._picture((side, side)))
            except FAILURES as error:
                reason = reason or (str(error).strip().splitlines() or [type(error).__name__])[0]
                continue
            self.strides = tuple(max(1, side // x.shape[2]) for x in maps)
            if any(side % x.shape[2] for x in maps):
                continue
            more = tuple(max(self.strides) * count for count in MORE)
            if self.strides == known or self._fits(more, cut=False):
                return maps
        if maps is None:
            raise self._refused(f'takes pictures of one size only ({reason})')
        raise self._refused(
            f'has maps of {", ".join(str(x.shape[2]) for x in maps)} rows for a picture of '
            f'{side}: their strides are no whole numbers'
        )

    def _find_multiple(self) -> None:
        """Set ``multiple``: the least one with which sizes of maps are rounded up."""
        largest = max(self.strides)
        by_size = any(type(module).__name__ in PADDED_BY_SIZE for module in self.net.modules())
        for multiple in (largest,) if by_size else (1, min(self.strides), largest):
            self.multiple = multiple
            if self._fits(ODD):
                return
        raise self._refused(
            f'does not give maps at strides {", ".join(map(str, self.strides))} for a picture of '
            f'{ODD[0]} x {ODD[1]} pixels, padded to multiples of {largest}'
        )

    def _refused(self, why: str) -> InvalidInputError:
        """Return the error that refuses the network; ``why`` follows "which"."""
        kind, name = type(self).__name__, getattr(self, 'name', type(self.net).__name__)
        return InvalidInputError(
            f'{kind} name is {name!r}, which {why}; a backbone takes pictures of any size, see '
            'docs/networks.md'
        )

    def _picture(self, size: tuple[int, ...]) -> Tensor:
        """Return a picture of noise without drawing random numbers, ``(1, 3, *size)``."""
        weight = next(self.net.parameters())
        count = 3 * size[0] * size[1]
        noise = torch.arange(count, dtype=torch.float32, device=weight.device)
        return noise.mul(12.9898).sin().view(1, 3, *size).to(weight.dtype)

    @torch.no_grad()
    def _fits(self, size: tuple[int, ...], cut: bool = True) -> bool:
        """Return whether a picture, padded to ``multiple``, gives maps whose sizes are rounded up.

        Args:
            size: Height and width.
            cut: Whether maps may be larger, as :meth:`_cut` cuts them.
        """
        x = self._picture(size)
        try:
            maps = self.finish(self.features(self._padded(x)))
        except FAILURES:
            return False
        if cut:
            maps = self._cut(maps, x)
        return all(
            [*each.shape[2:]] == [-(-side // stride) for side in size]
            for each, stride in zip(maps, self.strides)
        )

    def init_weights(self) -> None:
        """Load the pretrained weights, if ``pretrained``; the log says from where.

        Raises:
            MissingFileError: If they are not there and cannot be downloaded.
            InvalidInputError: If they are those of another network.
        """
        if not self.pretrained:
            return
        state, source = self.weights()
        name = getattr(self, 'name', type(self.net).__name__)
        left = load_fitting(self.net, state, source, name, self.whole)
        self.weights_source = source
        rest = f'; not in the network: {few(left)}' if left else ''
        print_log(f'{name} starts from {source}{rest}', 'current')

    def cam_stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the last three maps that heads read, see :meth:`BaseBackbone.cam_stages`."""
        return tuple(F.relu(each) for each in self.forward_maps(x)[-3:])

    def forward_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps that heads read.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            Each ``(N, C_i, h_i, w_i)``, at ``strides``, sizes rounded up.
        """
        return self._cut(self.finish(self.features(self._padded(x))), x)

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the maps and the stages before their activation, see :class:`BaseBackbone`."""
        ends = [(name, self.net.get_submodule(name)) for name in self._ends if name is not None]
        with inputs_of(ends) as seen:
            maps = self.features(self._padded(x))
        stages = [
            each if end is None else seen[end] for end, each in zip(self._ends, maps, strict=True)
        ]
        return self._cut(self.finish(maps), x), self._cut(stages, x)

    def _padded(self, x: Tensor) -> Tensor:
        """Pad pictures, right and bottom, with the mean colour to a multiple of ``multiple``."""
        down, right = (-side % self.multiple for side in x.shape[2:])
        return F.pad(x, (0, right, 0, down)) if down or right else x

    def _cut(self, maps: Sequence[Tensor], x: Tensor) -> tuple[Tensor, ...]:
        """Cut maps of padded pictures to the sizes of those of ``x``."""
        height, width = x.shape[2:]
        return tuple(
            each[..., : -(-height // stride), : -(-width // stride)]
            for each, stride in zip(maps, self.strides, strict=True)
        )


@contextmanager
def outputs_of(modules: Sequence[tuple[str, nn.Module]]) -> Iterator[list[tuple[str, Any]]]:
    """Collect the name and the output of each of some modules that runs inside the context."""
    made: list[tuple[str, Any]] = []
    hooks = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: made.append((name, output))
        )
        for name, module in modules
    ]
    try:
        yield made
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def inputs_of(modules: Sequence[tuple[str, nn.Module]]) -> Iterator[dict[str, Tensor]]:
    """Collect by name the input of each of some modules that runs inside the context."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs: seen.__setitem__(name, inputs[0])

    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
