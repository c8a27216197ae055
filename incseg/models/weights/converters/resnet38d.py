"""ImageNet weights of the wide ResNet-38: from the published file's names to ours."""

import os
import re
from pathlib import Path

import torch

from incseg.errors import InvalidInputError
from incseg.models.weights.converters.mxnet_params import read_mxnet_params
from incseg.utils.files import whole_file
from incseg.utils.outputs import check_outputs

#: mxnet's names of what a BatchNorm holds
NORM = {
    'gamma': 'weight',
    'beta': 'bias',
    'moving_mean': 'running_mean',
    'moving_var': 'running_var',
}
#: a layer's name within its block
LAYERS = {
    'res': {'branch1': 'shortcut', 'branch2a': 'conv1', 'branch2b1': 'conv2', 'branch2b2': 'conv3'},
    'bn': {'branch2a': 'norm1', 'branch2b1': 'norm2', 'branch2b2': 'norm3'},
}
#: stage 3 is made of the blocks 3a, 3b1 and 3b2
BLOCK = re.compile(r'(res|bn)([2-7])(?:a|b([0-9]+))_(branch[0-9a-b]+)_(.+)')


def convert_name(name: str) -> str | None:
    """A published weight's name in :class:`ResNet38d`; None for the ImageNet classifier's.

    Raises:
        InvalidInputError: The network has no such weight.
    """
    bare = name.partition(':')[2] or name  # 'arg:' or 'aux:' comes before
    if bare.startswith('linear1000'):
        return None
    if bare == 'conv1a_weight':
        return 'stem.weight'
    if bare.startswith('bn7_') and bare[4:] in NORM:
        return f'norm.{NORM[bare[4:]]}'
    match = BLOCK.fullmatch(bare)
    if match is not None:
        kind, stage, block, branch, part = match.groups()
        layer = LAYERS[kind].get(branch)
        value = {'weight': 'weight'}.get(part) if kind == 'res' else NORM.get(part)
        if layer is not None and value is not None:
            return f'stage{stage}.{int(block or 0)}.{layer}.{value}'
    raise InvalidInputError(f'{name!r} is not the name of a weight of the wide ResNet-38')


def convert_resnet38_params(
    source: str | os.PathLike, target: str | os.PathLike, force: bool = False
) -> int:
    """Write the published ``.params`` file (mxnet) as one that :class:`ResNet38d` loads.

    Args:
        source: ``ilsvrc-cls_rna-a1_cls1000_ep-0001.params``.
        target: A ``.pth`` file.
        force: Whether it may be there already.

    Returns:
        The number of tensors written.

    Raises:
        MissingFileError, InvalidInputError: The source is not there, or not
            such a file; or the target is the source or there already.
    """
    check_outputs([target], [source], force=force)
    state = {}
    for name, array in read_mxnet_params(source).items():
        ours = convert_name(name)
        if ours is not None:
            state[ours] = torch.from_numpy(array).float()
    with whole_file(Path(target)) as temporary, open(temporary, 'wb') as file:
        torch.save(state, file)
    return len(state)
