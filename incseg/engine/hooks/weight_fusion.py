from collections.abc import Mapping
from math import sqrt
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from incseg.engine.hooks.method import MethodHook
from incseg.registry import HOOKS
from incseg.utils.rules import SHARE, checked, or_none


@HOOKS.register_module()
class WeightFusionHook(MethodHook):
    """Endpoints weight fusion: average the trained network with that of the previous step.

    With *K* old outputs (background included) and *N* new ones, the shared weights
    become ``(1 - a) old + a new`` with ``a = sqrt(N / (N + K))`` after the last
    iteration.  The fused network is saved, evaluated and extended by the next step.
    A file that an interrupted step is resumed from is never fused.

    Source: Xiao et al., "Endpoints Weight Fusion for Class Incremental Semantic
    Segmentation", CVPR 2023.

    Args:
        factor: A fixed *a* from 0 (keep the old network) to 1 (no fusion); None
            computes it from the numbers of outputs.
        kwargs: See :class:`MethodHook`.

    Raises:
        InvalidInputError: The factor is not between 0 and 1.
    """

    priority = 'LOW'  # after the other hooks have seen where the training ended

    def __init__(self, factor: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor: float | None = checked(
            f'method.hooks.{self.name}.factor', factor, or_none(SHARE)
        )

    def after_train(self, runner: Any) -> None:
        student = runner.model.module if is_model_wrapper(runner.model) else runner.model
        factor = self.factor
        if factor is None:
            factor = fusion_factor(student.decode_head.num_old, student.num_classes)
        assert self.previous is not None  # it takes no part in step 0
        fuse_weights(student, self.previous.adapted_to(student), factor)
        runner.logger.info(f'fused {factor:.4f} of the new weights with the old ones')


def fusion_factor(num_old: int, num_outputs: int) -> float:
    """Return the share *a* of the new weights, ``sqrt(new outputs / all outputs)``.

    Args:
        num_old: Number of outputs before the step, background included.
        num_outputs: Number of outputs after it.
    """
    return sqrt((num_outputs - num_old) / num_outputs)


@torch.no_grad()
def fuse_weights(network: nn.Module, old: Mapping[str, Tensor], factor: float) -> None:
    """Replace, in place, the weights that two networks share by their weighted mean.

    Parameters and BatchNorm's running statistics are fused.  Integer buffers (its
    count of batches), the scaling of the input and weights that ``old`` lacks stay.

    Args:
        network: The new network; it is changed.
        old: State dict of the old one, on any device.
        factor: Share of the new network, 0 to 1.
    """
    for name, new in network.state_dict().items():
        scaling = name.startswith('data_preprocessor.')  # equal: a mean would only round it
        if name in old and new.is_floating_point() and not scaling:
            new.copy_((1 - factor) * old[name].to(new) + factor * new)
