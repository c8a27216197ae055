from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class FineTuneOptim:
    """An optimiser for a backbone that has learnt already and a head that has not.

    Four groups, with factors on the learning rate: the backbone's weights (1),
    its biases (2, without weight decay), the head's weights (``head_factor``)
    and its biases (twice that, without weight decay).  What is frozen when the
    optimiser is made is in none of them.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``.
        paramwise_cfg: ``dict(head_factor=…)``.

    Source: SEAM's training code (a habit of weakly supervised segmentation
    since PSA, Ahn and Kwak, CVPR 2018).
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None):
        self.wrapper = dict(optim_wrapper_cfg)
        self.head_factor = float((paramwise_cfg or {}).get('head_factor', 10.))

    def __call__(self, model: nn.Module) -> OptimWrapper:
        network = model.module if is_model_wrapper(model) else model
        config = dict(self.wrapper.pop('optimizer'))
        groups = self.groups(network, config['lr'], config.get('weight_decay', 0.))
        optimizer = OPTIMIZERS.build(config, default_args=dict(params=groups))
        return OPTIM_WRAPPERS.build(self.wrapper, default_args=dict(optimizer=optimizer))

    def groups(self, network: Any, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups of a network that has a ``head``; those that are empty are left out."""
        head = {id(parameter) for parameter in network.head.parameters()}
        groups = []
        for in_head in (False, True):
            for is_bias in (False, True):
                chosen = [parameter for name, parameter in network.named_parameters()
                          if parameter.requires_grad and (id(parameter) in head) == in_head
                          and name.endswith('bias') == is_bias]
                factor = (self.head_factor if in_head else 1.) * (2. if is_bias else 1.)
                groups.append(dict(
                    params=chosen, lr=lr * factor, weight_decay=0. if is_bias else weight_decay))
        return [group for group in groups if group['params']]
