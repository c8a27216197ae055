"""DeepLabV3+ of segmentation_models.pytorch (smp)."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from incseg.models.importers.network import SourceNetwork
from incseg.models.importers.torchvision_networks import CLASSIFIER, convolution

THEIRS, OURS = r'decoder\.', 'decode_head.'


def separable(theirs: str, ours: str, norm: str) -> list[tuple[str, str]]:
    """Return the rules of a separable convolution with its norm.

    Args:
        theirs: Beginning of the names of its two convolutions, a pattern.
        ours: Beginning of the names here.
        norm: Beginning of the names of the norm, a pattern.
    """
    return [
        (rf'{theirs}0\.', f'{ours}0.'),
        (rf'{theirs}1\.', f'{ours}1.conv.'),
        (norm, f'{ours}1.bn.'),
    ]


RULES = [
    (r'encoder\.', 'backbone.'),
    (r'segmentation_head\.0\.', OURS + CLASSIFIER),
    *convolution(rf'{THEIRS}aspp\.0\.convs\.0\.', f'{OURS}branches.0.'),
    *convolution(rf'{THEIRS}aspp\.0\.convs\.4\.', f'{OURS}pooled.', 1, 2),
    *separable(
        rf'{THEIRS}aspp\.0\.convs\.(\d)\.0\.',
        rf'{OURS}branches.\1.',
        rf'{THEIRS}aspp\.0\.convs\.(\d)\.1\.',
    ),
    *convolution(rf'{THEIRS}aspp\.0\.project\.', f'{OURS}project.'),
    *separable(rf'{THEIRS}aspp\.1\.', f'{OURS}smooth.', rf'{THEIRS}aspp\.2\.'),
    *convolution(rf'{THEIRS}block1\.', f'{OURS}low.'),
    *separable(rf'{THEIRS}block2\.0\.', f'{OURS}fuse.', rf'{THEIRS}block2\.1\.'),
]


def deeplabv3plus(state: Mapping[str, Tensor], depth: int) -> SourceNetwork:
    """Return smp's DeepLabV3+ on a ResNet, with output stride 16 and its other defaults."""
    return SourceNetwork(
        dict(
            backbone=dict(
                type='ResNet',
                depth=depth,
                output_stride=16,
                dilate_first=True,
                pretrained='$pretrained',
            ),
            decode_head=dict(
                type='DeepLabV3PlusHead',
                channels=256,
                in_index=[0, 3],
                rates=[12, 24, 36],
                upsample=4,
            ),
            auxiliary_head=None,
        ),
        RULES,
        unused=(r'classification_head\.',),
    )


#: name -> the network of its tensors
NETWORKS = {
    f'smp_deeplabv3plus_resnet{depth}': partial(deeplabv3plus, depth=depth)
    for depth in (18, 34, 50, 101)
}
