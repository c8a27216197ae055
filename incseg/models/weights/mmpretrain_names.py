"""mmpretrain's names of weights as timm's."""

import re
from collections.abc import Mapping

from torch import Tensor

#: parts of names that only one kind of mmpretrain's networks has -> the rules of that kind
RULES: dict[str, tuple[tuple[str, str], ...]] = {
    '.depthwise_conv.': (  # ConvNeXt
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
}


def timm_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with mmpretrain's names of ConvNeXt and ViT changed into timm's.

    Other names stay: those of mmpretrain's ResNet are timm's already.

    Args:
        state: Tensors by name, without ``'backbone.'``.
    """
    state = dict(state)
    for part, rules in RULES.items():
        if any(part in name for name in state):
            for pattern, name in rules:
                state = {re.sub(pattern, name, key): value for key, value in state.items()}
    return state
