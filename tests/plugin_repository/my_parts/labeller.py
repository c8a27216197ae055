import torch
from mmengine.logging import print_log

from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from incseg.structures.network_outputs import upsample


@MODELS.register_module()
class SureLabels:
    """Background that the teacher is sure of gets the teacher's class; images weigh by it."""

    reads = frozenset({'features'})

    def __init__(self, source='decode_head', quantile=0.5):
        self.source = source
        self.quantile = quantile
        self.threshold = None

    def check(self, network):
        if self.source not in network.heads:
            raise InvalidInputError(f'source is {self.source!r}, allowed: {list(network.heads)}')

    def prepare(self, batches, num_classes):
        values, count = [], 0
        for labels, teacher in batches:
            scores = upsample(teacher.logits[self.source], labels.shape[-2:]).softmax(1).amax(1)
            values.append(scores[labels == 0])
            count += 1
        self.threshold = float(torch.cat(values).quantile(self.quantile))
        print_log(
            f'sure labels: {count} batches, {num_classes} classes, threshold {self.threshold:.6f}',
            'current',
        )

    def __call__(self, labels, student, teacher):
        if not teacher.features or student.size != tuple(labels.shape[-2:]):
            raise RuntimeError('the features and the size were to be there')
        sure, best = teacher.full_size(self.source).softmax(1).max(1)
        background = labels == 0
        chosen = background & (sure >= self.threshold)
        replaced = best.to(labels.dtype).where(chosen, labels)
        share = chosen.flatten(1).sum(1) / background.flatten(1).sum(1).clamp(min=1)
        return replaced, 0.5 + share.float() / 2
