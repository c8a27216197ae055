"""BiSeNetV1 of mmsegmentation."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from incseg.models.importers.network import SourceNetwork, has
from incseg.models.importers.torchvision_networks import CLASSIFIER

PATH, FUSION = r'backbone\.context_path\.', r'backbone\.ffm\.'
RULES = [
    (r'backbone\.spatial_path\.layer1\.', 'backbone.spatial_path.layers.0.'),
    (r'backbone\.spatial_path\.layer2\.', 'backbone.spatial_path.layers.1.'),
    (r'backbone\.spatial_path\.layer3\.', 'backbone.spatial_path.layers.2.'),
    (r'backbone\.spatial_path\.layer4\.', 'backbone.spatial_path.layers.3.'),
    (rf'{PATH}backbone\.', 'backbone.context_path.resnet.'),
    (rf'{PATH}arm(\d+)\.conv_layer\.', r'backbone.context_path.refine\1.conv.'),
    (rf'{PATH}arm(\d+)\.atten_conv_layer\.1\.', r'backbone.context_path.refine\1.attention.conv.'),
    (rf'{PATH}conv_head(\d+)\.', r'backbone.context_path.smooth\1.'),
    (rf'{PATH}gap_conv\.1\.', 'backbone.context_path.pool.conv.'),
    (rf'{FUSION}conv1\.', 'backbone.fusion.conv.'),
    (rf'{FUSION}conv_atten\.0\.', 'backbone.fusion.squeeze.conv.'),
    (r'decode_head\.conv_seg\.', f'decode_head.{CLASSIFIER}'),
    (r'decode_head\.convs\.0\.', 'decode_head.conv.'),
]
#: mmsegmentation's auxiliary heads in order, and the map that each reads here
AUXILIARY = {'0': ('aux_16', 1), '1': ('aux_32', 0)}


def bisenetv1(state: Mapping[str, Tensor], depth: int) -> SourceNetwork:
    """Return BiSeNetV1 on a ResNet: the narrow one on R18, the wide one on R50 and R101."""
    auxiliary: dict[str, Any] = {
        name: dict(type='FCNHead', in_index=index)
        for theirs, (name, index) in AUXILIARY.items()
        if has(state, f'auxiliary_head.{theirs}.')
    }
    names = [
        (rf'auxiliary_head\.{theirs}\.{part}', f'auxiliary_head.{name}.{ours}')
        for theirs, (name, _) in AUXILIARY.items()
        for part, ours in ((r'conv_seg\.', CLASSIFIER), (r'convs\.0\.', 'conv.'))
    ]
    return SourceNetwork(
        dict(
            backbone=dict(
                type='BiSeNet',
                depth=depth,
                width='narrow' if depth == 18 else 'wide',
                pretrained='$pretrained',
                fusion_norm=True,
            ),
            decode_head=dict(type='FCNHead'),
            auxiliary_head=auxiliary or None,
        ),
        [*names, *RULES],
    )


#: name -> the network of its tensors
NETWORKS = {f'mmseg_bisenetv1_r{depth}': partial(bisenetv1, depth=depth) for depth in (18, 50, 101)}
