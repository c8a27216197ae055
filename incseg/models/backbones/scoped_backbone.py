"""Backbones of other packages of mmengine's family."""

from typing import Any

from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.backbones.encoder import Encoder
from incseg.models.weights import read_weights
from incseg.registry import MODELS, part_of, why_unknown


@MODELS.register_module()
class ScopedBackbone(Encoder):
    """A backbone that another package of mmengine's family registers, as mmpretrain's.

    Its maps, strides and norms are read from it.

    Args:
        backbone: Its config, with its scope in the type:
            ``dict(type='mmpretrain.ResNet', depth=50, out_indices=(0, 1, 2, 3))``.
        pretrained: A file with its weights, or False.  True is refused by
            :meth:`init_weights`: nobody knows where the weights are.

    Raises:
        InvalidInputError: If nothing is registered under the type; says which package is missing.

    Source: the package that registers the backbone.
    """

    whole = None  # some cut off what out_indices does not need

    def __init__(self, backbone: dict, pretrained: bool | str = False):
        super().__init__()
        self.name, self.pretrained = str(backbone['type']), pretrained
        if part_of(backbone['type'], MODELS) is None:
            reason = why_unknown(self.name, MODELS) or 'is not registered (is it imported?)'
            raise InvalidInputError(
                f'ScopedBackbone backbone.type is {self.name!r}, which {reason}'
            )
        self.net: Any = MODELS.build(dict(backbone))
        self.read_model()

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the package's backbone, see :class:`Encoder`."""
        maps = self.net(x)
        return [maps] if isinstance(maps, Tensor) else list(maps)

    def weights(self) -> tuple[dict[str, Tensor], str]:
        """Return the weights of the file, see :class:`Encoder`.

        Raises:
            InvalidInputError: ``pretrained`` is True.
        """
        if not isinstance(self.pretrained, str):
            raise InvalidInputError(
                f'{self.name}: the library does not know where its weights are: say '
                'pretrained=FILE, or pretrained=False'
            )
        return read_weights(self.pretrained), f'the file {self.pretrained}'
