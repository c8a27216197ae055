"""torchvision's convolutional classifiers as backbones."""

from collections.abc import Sequence
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from incseg.errors import InvalidInputError
from incseg.models.backbones.base import check_output_stride, check_places
from incseg.models.backbones.encoder import EVEN, Encoder
from incseg.models.backbones.resnet import dilate
from incseg.models.weights import read_weights, torchvision_weights
from incseg.registry import MODELS
from incseg.utils.rules import expected, similar

#: beginnings of the names of models whose layers follow one another
FAMILIES = (
    'convnext',
    'efficientnet',
    'mobilenet',
    'regnet',
    'resnet',
    'resnext',
    'wide_resnet',
)
#: parts of a model that are no layers of its maps
HEADS = ('avgpool', 'classifier', 'fc')
#: strides of the maps
STRIDES = (4, 8, 16, 32)


@MODELS.register_module()
class TorchvisionBackbone(Encoder):
    """A convolutional model of torchvision without its classifier.

    The maps are the last ones at strides 4, 8, 16 and 32, or those after ``out_layers``.

    Args:
        name: torchvision's name: ``'mobilenet_v3_large'``; of the families in
            :data:`FAMILIES`.
        pretrained: Whether :meth:`init_weights` loads torchvision's ImageNet weights
            (``IMAGENET1K_V1``), from torch's cache or by download.  A path: a file with the
            weights of this model.
        output_stride: Stride of the deepest map, 8, 16 or 32.  Where a layer is not strided,
            dilation takes its place.
        options: Further arguments of torchvision's builder.
        out_layers: Indices of the layers whose results are the maps, ascending; None for the
            last one of each stride.

    Raises:
        InvalidInputError: If torchvision has no such model, or ``output_stride`` is not allowed
            or not possible: a convolution with an even number of weights cannot be dilated
            in its place.

    Source: the papers of the models, as torchvision names them.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool | str = False,
        output_stride: int = 32,
        options: dict | None = None,
        out_layers: Sequence[int] | None = None,
    ):
        super().__init__()
        known = [each for each in torchvision.models.list_models(torchvision.models) if fits(each)]
        if name not in known:
            close = similar(name, known)
            hint = f'; did you mean {close!r}?' if close else f' ({", ".join(FAMILIES)})'
            raise expected(
                'TorchvisionBackbone name', name, f'a convolutional model of torchvision{hint}'
            )
        check_output_stride('TorchvisionBackbone', output_stride)
        self.name, self.pretrained = name, pretrained
        try:
            self.net: Any = torchvision.models.get_model(name, weights=None, **(options or {}))
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f'TorchvisionBackbone options: {name} of torchvision: {error}'
            ) from error
        for head in HEADS:
            if hasattr(self.net, head):
                delattr(self.net, head)
        self._layers = layers_of(self.net)
        strides = self._strides_of_layers()
        last = {stride: i for i, stride in enumerate(strides) if stride in STRIDES}
        self._cuts = sorted(last.values())
        if out_layers is not None:
            self._cuts = check_places(
                'TorchvisionBackbone out_layers',
                out_layers,
                len(self._layers),
                f'the layers of {name}',
            )
        for layer, stride in zip(self._layers, strides):
            if stride > output_stride:
                self._dilate(self.net.get_submodule(layer), stride // output_stride)
        self.read_model()

    def _dilate(self, layer: nn.Module, factor: int) -> None:
        convs = [each for each in layer.modules() if isinstance(each, nn.Conv2d)]
        if any(conv.stride[0] > 1 and conv.kernel_size[0] % 2 == 0 for conv in convs):
            raise expected(
                'TorchvisionBackbone output_stride',
                32 // factor,
                f'32: {self.name} has strided convolutions with an even number of weights',
            )
        dilate(layer, factor)

    @torch.no_grad()
    def _strides_of_layers(self) -> list[int]:
        """Return the stride of the map after each layer."""
        x, strides = self._picture(EVEN), []
        self.net.eval()
        for layer in self._layers:
            x = self.net.get_submodule(layer)(x)
            strides.append(EVEN[0] // x.shape[2])
        return strides

    @classmethod
    def input_scaling(cls, name: str = '', **options: Any) -> dict[str, Any] | None:
        """Return the scaling with which the weights were trained, see :class:`BaseBackbone`."""
        weights = weights_of(name)
        if weights is None:
            return None
        transform = weights.transforms()
        return dict(
            mean=[255 * each for each in transform.mean], std=[255 * each for each in transform.std]
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the map of each stage, see :class:`Encoder`."""
        maps = []
        for i, layer in enumerate(self._layers):
            x = self.net.get_submodule(layer)(x)
            if i in self._cuts:
                maps.append(x)
        return maps

    def early_layers(self) -> tuple[nn.Module, ...]:
        """Return all layers up to the first map."""
        return tuple(self.net.get_submodule(name) for name in self._layers[: self._cuts[0] + 1])

    def weights(self) -> tuple[dict[str, Tensor], str]:
        """Return the weights and where they come from, see :class:`Encoder`."""
        if isinstance(self.pretrained, str):
            return read_weights(self.pretrained), f'the file {self.pretrained}'
        return torchvision_weights(weights_of(self.name))


def fits(name: str) -> bool:
    """Return whether the layers of a model of torchvision follow one another."""
    return name.startswith(FAMILIES)


def weights_of(name: str) -> Any:
    """Return torchvision's first ImageNet weights of a model; None for an unknown name."""
    if name not in torchvision.models.list_models():
        return None
    all_weights = torchvision.models.get_model_weights(name)
    return getattr(all_weights, 'IMAGENET1K_V1', None) or next(iter(all_weights))


def layers_of(net: nn.Module) -> list[str]:
    """Return the names of the layers of a model that run one after the other.

    Args:
        net: The model without its classifier.
    """
    names = []
    for name, child in net.named_children():
        if name in ('features', 'trunk_output'):
            names += [f'{name}.{inner}' for inner, _ in child.named_children()]
        else:
            names.append(name)
    return names
