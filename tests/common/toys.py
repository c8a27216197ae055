"""Small stand-ins with which parts are tried: a backbone, networks, outputs of networks."""

import torch
from mmengine.structures import PixelData
from torch import nn

from incseg.models import BaseBackbone
from incseg.models.backbones import BatchNorm
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs, SegDataSample

DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)


@MODELS.register_module(force=True)
class ToyBackbone(BaseBackbone):
    """Three small stages at strides 2, 4 and 8.

    ``norm='GN'`` has no statistics of the batch, which on a CPU are each process's own.
    """

    out_channels = stage_channels = (4, 6, 8)

    def __init__(self, norm='BN'):
        super().__init__()
        make = BatchNorm if norm == 'BN' else lambda channels: nn.GroupNorm(2, channels)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), make(after))
            for before, after in ((3, 4), (4, 6), (6, 8))
        )

    def forward_stages(self, x):
        stages = []
        for layer in self.layers:
            stages.append(layer(x))
            x = stages[-1].relu()
        return tuple(stage.relu() for stage in stages), tuple(stages)


#: options that put the toy backbone into a config, for tests of all but the network
TOY_NETWORK = {'model.backbone': dict(type='ToyBackbone'), 'model.auxiliary_head': None}


def network_config(outputs=(4, 2), **parts):
    """Config of a segmentor on the toy backbone, with an auxiliary head ``aux``."""
    return (
        dict(
            type='IncrementalSegmentor',
            backbone=dict(type='ToyBackbone'),
            decode_head=dict(type='FCNHead', loss_decode=dict(type='BinaryCrossEntropyLoss')),
            auxiliary_head=dict(
                aux=dict(
                    type='FCNHead', in_index=0, loss_decode=dict(type='BinaryCrossEntropyLoss')
                )
            ),
            outputs_per_step=list(outputs),
        )
        | parts
    )


class DeclaredOutputs(NetworkOutputs):
    """A network's outputs of which only those may be read that a part declares in ``reads``."""

    _allowed: frozenset[str] = frozenset({'features', 'stages', 'head_features'})

    def __getattribute__(self, name):
        undeclared = {'features', 'stages', 'head_features'} - object.__getattribute__(
            self, '_allowed'
        )
        assert name not in undeclared, f'{name} is read, but not declared in reads'
        return object.__getattribute__(self, name)

    def only(self, part):
        """The outputs that a part declares."""
        names = set(part.reads)
        self._allowed = frozenset(
            names | {'stages', 'head_features'} if 'intermediate' in names else names
        )
        return self


def outputs(classes, seed=0, dtype=torch.float32, images=2, scale=1.0):
    """Everything that a pass over images of 8 x 12 makes, at random."""
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape):
        made = scale * torch.randn(images, *shape, generator=generator, dtype=torch.float64)
        return made.to(dtype).requires_grad_()

    heads = ('decode_head', 'aux')
    return DeclaredOutputs(
        (tensor(3, 4, 6), tensor(4, 4, 6)),
        {name: tensor(classes, 4, 6) for name in heads},
        (8, 12),
        (tensor(3, 4, 6), tensor(5, 2, 3)),
        {name: tensor(4, 4, 6) for name in heads},
    )


def tensors(made):
    """All tensors of a network's outputs."""
    return [*made.features, *made.logits.values(), *made.stages, *made.head_features.values()]


def samples(*sizes, labels=True):
    """Packed samples of images ``(height, width)``, with labels of five classes or without."""
    made = []
    generator = torch.Generator().manual_seed(0)
    for i, size in enumerate(sizes):
        sample = SegDataSample()
        sample.set_metainfo(dict(image_id=str(i), img_shape=size, ori_shape=size))
        if labels:
            label = torch.randint(0, 5, (1, *size), generator=generator, dtype=torch.uint8)
            sample.gt_sem_seg = PixelData(data=label)
        image = torch.randint(0, 255, (3, *size), generator=generator, dtype=torch.uint8)
        made.append(dict(inputs=image, data_samples=sample))
    return made
