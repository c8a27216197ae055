"""torchvision's segmentation networks."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from incseg.models.importers.network import SourceNetwork, State, has

#: the layers that torchvision reads of MobileNetV3-Large: strides 8 and 16
MOBILE_LAYERS = [4, 16]
CLASSIFIER = 'classifier.steps.0.'

Rules = list[tuple[str, str]]


def convolution(theirs: str, ours: str, conv: int = 0, norm: int = 1) -> Rules:
    """Return the rules of a convolution with its norm in a ``Sequential``."""
    return [(rf'{theirs}{conv}\.', f'{ours}conv.'), (rf'{theirs}{norm}\.', f'{ours}bn.')]


def fcn_head(theirs: str, ours: str) -> Rules:
    """Return the rules of torchvision's FCN head: convolution, norm, ReLU, dropout, classifier."""
    return [*convolution(theirs, f'{ours}conv.'), (rf'{theirs}4\.', ours + CLASSIFIER)]


def aspp_head() -> Rules:
    """Return the rules of torchvision's DeepLabV3 head."""
    theirs, ours = r'classifier\.', 'decode_head.'
    return [
        *convolution(rf'{theirs}0\.convs\.4\.', f'{ours}pooled.', 1, 2),
        *convolution(rf'{theirs}0\.convs\.(\d)\.', rf'{ours}branches.\1.'),
        *convolution(rf'{theirs}0\.project\.', f'{ours}project.'),
        *convolution(theirs, f'{ours}conv.', 1, 2),
        (rf'{theirs}4\.', ours + CLASSIFIER),
    ]


def resnet(depth: int) -> dict[str, Any]:
    """Return the config of the ResNet that torchvision dilates to stride 8."""
    return dict(type='ResNet', depth=depth, output_stride=8, pretrained='$pretrained')


def mobilenet() -> dict[str, Any]:
    """Return the config of MobileNetV3-Large with torchvision's own dilation."""
    return dict(
        type='TorchvisionBackbone',
        name='mobilenet_v3_large',
        options=dict(dilated=True),
        out_layers=MOBILE_LAYERS,
        pretrained='$pretrained',
    )


MOBILE_RULES: Rules = [(r'backbone\.', 'backbone.net.features.')]


def with_auxiliary(
    state: Mapping[str, Tensor], backbone: dict[str, Any], head: dict[str, Any], rules: Rules
) -> SourceNetwork:
    """Return a network with the auxiliary classifier, if the tensors have one."""
    auxiliary = None
    if has(state, 'aux_classifier.'):
        auxiliary = dict(aux=dict(type='FCNHead', in_index=-2))
        weight = state.get('aux_classifier.0.weight')
        if weight is not None:
            auxiliary['aux']['channels'] = len(weight)
    return SourceNetwork(
        dict(backbone=backbone, decode_head=head, auxiliary_head=auxiliary),
        [*rules, *fcn_head(r'aux_classifier\.', 'auxiliary_head.aux.')],
    )


def deeplabv3(state: Mapping[str, Tensor], depth: int | None) -> SourceNetwork:
    """Return DeepLabV3 on a ResNet, or on MobileNetV3 for None."""
    head = dict(type='ASPPHead', channels=256, rates=[12, 24, 36])
    if depth is None:
        return with_auxiliary(state, mobilenet(), head, [*MOBILE_RULES, *aspp_head()])
    return with_auxiliary(state, resnet(depth), head, aspp_head())


def fcn(state: Mapping[str, Tensor], depth: int) -> SourceNetwork:
    """Return torchvision's FCN on a ResNet."""
    head = dict(type='FCNHead', channels=512)
    return with_auxiliary(state, resnet(depth), head, fcn_head(r'classifier\.', 'decode_head.'))


def lraspp(state: Mapping[str, Tensor]) -> SourceNetwork:
    """Return LR-ASPP on MobileNetV3."""
    return SourceNetwork(
        dict(
            backbone=mobilenet(),
            decode_head=dict(type='LRASPPHead', channels=128, in_index=[0, 1]),
            auxiliary_head=None,
        ),
        [
            *MOBILE_RULES,
            *convolution(r'classifier\.cbr\.', 'decode_head.conv.'),
            (r'classifier\.scale\.1\.', 'decode_head.weight.'),
        ],
        finish=one_classifier,
    )


def one_classifier(state: State) -> State:
    """Join LR-ASPP's two classifiers, of the shallow and the deep map, into one."""
    state = dict(state)
    parts = [f'classifier.{part}_classifier.' for part in ('low', 'high')]
    if not all(part + name in state for part in parts for name in ('weight', 'bias')):
        return state
    weights, biases = ([state.pop(part + name) for part in parts] for name in ('weight', 'bias'))
    state[f'decode_head.{CLASSIFIER}weight'] = torch.cat(weights, 1)
    state[f'decode_head.{CLASSIFIER}bias'] = biases[0] + biases[1]
    return state


#: torchvision's name -> the network of its tensors
NETWORKS: dict[str, Callable[[Mapping[str, Tensor]], SourceNetwork]] = {
    'deeplabv3_resnet50': partial(deeplabv3, depth=50),
    'deeplabv3_resnet101': partial(deeplabv3, depth=101),
    'deeplabv3_mobilenet_v3_large': partial(deeplabv3, depth=None),
    'fcn_resnet50': partial(fcn, depth=50),
    'fcn_resnet101': partial(fcn, depth=101),
    'lraspp_mobilenet_v3_large': lraspp,
}
