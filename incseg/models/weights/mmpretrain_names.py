"""mmpretrain's names of weights as timm's."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

#: parts of names that only one kind of mmpretrain's networks has -> the rules of that kind
RULES: dict[str, tuple[tuple[str, str], ...]] = {
    '.pointwise_conv1.': (  # ConvNeXt
        (r'^downsample_layers\.0\.', 'stem.'),
        (r'^downsample_layers\.(\d+)\.', r'stages.\1.downsample.'),
        (r'^stages\.(\d+)\.(\d+)\.', r'stages.\1.blocks.\2.'),
        (r'\.depthwise_conv\.', '.conv_dw.'),
        (r'\.pointwise_conv([12])\.', r'.mlp.fc\1.'),
    ),
    '.ln1.': (  # VisionTransformer
        (r'^patch_embed\.projection\.', 'patch_embed.proj.'),
        (r'^layers\.(\d+)\.', r'blocks.\1.'),
        (r'\.ln([12])\.', r'.norm\1.'),
        (r'\.ffn\.layers\.0\.0\.', '.mlp.fc1.'),
        (r'\.ffn\.layers\.1\.', '.mlp.fc2.'),
        (r'^ln1\.', 'norm.'),
    ),
    '.attn.w_msa.': (  # SwinTransformer
        (r'^patch_embed\.projection\.', 'patch_embed.proj.'),
        (r'^norm3\.', 'norm.'),
        (r'^stages\.(\d+)\.', r'layers.\1.'),
        (r'\.attn\.w_msa\.', '.attn.'),
        (r'\.ffn\.layers\.0\.0\.', '.mlp.fc1.'),
        (r'\.ffn\.layers\.1\.', '.mlp.fc2.'),
    ),
}
#: the downsampling layer of a stage of Swin; timm counts it to the next stage
_MERGING = re.compile(r'^layers\.(\d+)\.downsample\.(norm|reduction)\.')
#: a block of MobileNetV3 (one number) or EfficientNet (two), and of both in timm
_BLOCK = re.compile(r'^(layer\d+|layers\.\d+\.\d+)\.(?=depthwise_conv\.)')
_TIMM_BLOCK = re.compile(r'^(blocks\.\d+\.\d+)\.(?=conv_dw\.)')
#: the convolutions of a block with their norms, without and with an expansion before them
_PLAIN = {'depthwise_conv': ('conv_dw', 'bn1'), 'linear_conv': ('conv_pw', 'bn2')}
_EXPANDED = {
    'expand_conv': ('conv_pw', 'bn1'),
    'depthwise_conv': ('conv_dw', 'bn2'),
    'linear_conv': ('conv_pwl', 'bn3'),
}
_SQUEEZE = {'conv1': 'conv_reduce', 'conv2': 'conv_expand'}


def timm_names(state: Mapping[str, Tensor], own: Iterable[str] = ()) -> dict[str, Tensor]:
    """Return a state dict with mmpretrain's names changed into timm's.

    Those of ConvNeXt, ViT, Swin, EfficientNet and MobileNetV3 are.  Other names stay: those of
    mmpretrain's ResNet are timm's already.

    Args:
        state: Tensors by name, without ``'backbone.'``.
        own: The names of timm's network; the blocks of EfficientNet and MobileNetV3 are counted
            in another way there and are matched in their order.
    """
    state = dict(state)
    unfolds = any('.attn.w_msa.' in name for name in state)
    for part, rules in RULES.items():
        if any(part in name for name in state):
            for pattern, name in rules:
                state = {re.sub(pattern, name, key): value for key, value in state.items()}
    if any(name.startswith('layers.0.downsample.') for name in state):
        state = _with_merging_of_timm(state, unfolds)
    blocks = _matched_blocks(state, own)
    if not blocks:
        return state
    return {_name_in_block(name, blocks): value for name, value in state.items()}


def _with_merging_of_timm(state: Mapping[str, Tensor], unfolds: bool) -> dict[str, Tensor]:
    """Return Swin's weights with the downsampling layers of timm: each begins the next stage.

    Args:
        state: Weights in which each ends a stage, as in mmpretrain and in Swin's own code.
        unfolds: Whether its ``4 * C`` channels are ordered by channel, row and column, as in
            mmpretrain, and not by column, row and channel.
    """
    result = {}
    for name, value in state.items():
        found = _MERGING.match(name)
        if name.endswith('.relative_position_index'):  # timm computes it
            continue
        if found:
            name = f'layers.{int(found[1]) + 1}.{name.split(".", 2)[2]}'
            if unfolds:
                value = value.unflatten(-1, (-1, 2, 2)).transpose(-1, -3).flatten(-3)
        result[name] = value
    return result


def _matched_blocks(state: Iterable[str], own: Iterable[str]) -> dict[str, tuple[str, dict]]:
    """Return timm's name of each block of mmpretrain, and of the convolutions in it."""
    state = list(state)
    theirs = list(dict.fromkeys(found[1] for name in state if (found := _BLOCK.match(name))))
    ours = list(dict.fromkeys(found[1] for name in own if (found := _TIMM_BLOCK.match(name))))
    if len(theirs) != len(ours):
        return {}
    expanded = {name.partition('.expand_conv.')[0] for name in state if '.expand_conv.' in name}
    return {
        block: (name, _EXPANDED if block in expanded else _PLAIN)
        for block, name in zip(theirs, ours, strict=True)
    }


def _name_in_block(name: str, blocks: Mapping[str, tuple[str, dict]]) -> str:
    """Return timm's name of a weight of EfficientNet or MobileNetV3."""
    stem = re.match(r'^(?:layer0|layers\.0)\.(conv|bn)\.(\w+)$', name)
    if stem:
        return f'{dict(conv="conv_stem", bn="bn1")[stem[1]]}.{stem[2]}'
    found = re.match(r'^(layer\d+|layers\.\d+\.\d+)\.(.+)$', name)
    if not found or found[1] not in blocks:
        last = re.match(r'^layer\d+\.(conv|bn)\.(\w+)$', name)
        if last:  # MobileNetV3's last convolution is a block in timm
            stage = 1 + max(int(block.split('.')[1]) for block, _ in blocks.values())
            return f'blocks.{stage}.0.{dict(conv="conv", bn="bn1")[last[1]]}.{last[2]}'
        return name
    block, convolutions = blocks[found[1]]
    part, kind, *rest = found[2].split('.')
    if part == 'se':
        return f'{block}.se.{_SQUEEZE[kind]}.{rest[-1]}'
    return f'{block}.{convolutions[part][kind == "bn"]}.{rest[-1]}'
