"""Optimisers of a step: callbacks around the update, and groups of parameters."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmcv.cnn import is_norm
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from incseg.utils.rules import any_of, expected


@OPTIM_WRAPPERS.register_module()
class StepOptimWrapper(OptimWrapper):
    """mmengine's wrapper of an optimiser, with bfloat16 autocast and callbacks around the update.

    mmengine runs backward, step and zero_grad in one call; methods that act on
    parameters (EWC, PI, RW, …) register callbacks between them.

    Args:
        amp: Whether the forward pass runs under bfloat16 autocast, on CUDA or
            CPU.  No gradient scaler is needed; losses are computed in float32.
        kwargs: See :class:`mmengine.optim.OptimWrapper`.

    Attributes:
        after_backward: Called without arguments once gradients are complete.
        after_step: Called without arguments once parameters were updated,
            before gradients are cleared.
    """

    def __init__(self, *args: Any, amp: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.amp = amp
        self.after_backward: list[Callable[[], None]] = []
        self.after_step: list[Callable[[], None]] = []

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16, enabled=self.amp):
            yield

    def step(self, **kwargs: Any) -> None:
        for callback in self.after_backward:
            callback()
        super().step(**kwargs)
        for callback in self.after_step:
            callback()


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(name=['PartwiseOptimConstructor', 'PartOptim'])
class PartwiseOptimConstructor:
    """Builds an optimiser in which parts of the network have their own learning rate.

    Parameters with the same factor on the learning rate form one group.  Parameters that are
    frozen when the optimiser is built are in no group.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``.
        paramwise_cfg: ``dict(lr_factors=…)``: a factor per prefix of parameter
            names, ``'decode_head'`` or ``'decode_head.classifier'``.  The longest
            matching prefix counts; without a match the factor is 1.  With ``norm_decay=False``
            normalisation layers and biases have no weight decay.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict):
        self.wrapper = dict(optim_wrapper_cfg)
        self.factors = dict(paramwise_cfg['lr_factors'])
        self.norm_decay = paramwise_cfg.get('norm_decay', True)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser and its wrapper; call it once.

        Args:
            model: The network, or mmengine's wrapper of it.
        """
        network: Any = model.module if is_model_wrapper(model) else model
        config = dict(self.wrapper.pop('optimizer'))
        groups = factor_groups(network, config['lr'], self.factors)
        if not self.norm_decay:
            groups = undecayed_apart(network, groups)
        optimizer = OPTIMIZERS.build(config, default_args=dict(params=groups))
        return OPTIM_WRAPPERS.build(self.wrapper, default_args=dict(optimizer=optimizer))


def undecayed_apart(network: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Split every group of an optimiser in two: what decays, and norms and biases, which do not.

    Args:
        network: The network.
        groups: Dicts with ``params`` and other entries, which both parts keep.
    """
    apart = {id(p) for module in network.modules() if is_norm(module) for p in module.parameters()}
    apart |= {id(p) for name, p in network.named_parameters() if name.endswith('bias')}
    split = []
    for group in groups:
        held = [p for p in group['params'] if id(p) in apart]
        rest = [p for p in group['params'] if id(p) not in apart]
        split += [dict(group, params=rest), dict(group, params=held, weight_decay=0.0)]
    return [group for group in split if group['params']]


def factor_groups(
    network: nn.Module, lr: float, factors: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Return the groups of an optimiser, one for each factor on the learning rate.

    Args:
        network: The network; its frozen parameters are left out.
        lr: The learning rate with the factor 1.
        factors: A factor per prefix of parameter names; None is ignored.

    Returns:
        ``dict(params=…, lr=…)`` per factor, that of factor 1 first; no group is empty.

    Raises:
        InvalidInputError: The network has no part of that name.
    """
    known = {part: factor for part, factor in factors.items() if factor is not None}
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    parameters = dict(network.named_parameters())
    for part in known:
        named = any(is_part(name, part) for name, _ in network.named_parameters())
        if not named and not hasattr(network, part):  # no auxiliary head has no parameter
            raise expected(
                'a name in schedule.lr_factors',
                part,
                'a part of the network, as '
                f'{any_of(sorted({name.split(".")[0] for name in parameters}))}',
            )
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name in names:
        fitting = [part for part in known if is_part(name, part)]
        factor = float(known[max(fitting, key=len)]) if fitting else 1.0
        groups.setdefault(factor, []).append(parameters[name])
    return [dict(params=chosen, lr=lr * factor) for factor, chosen in groups.items() if chosen]


def is_part(name: str, part: str) -> bool:
    """Tell whether a parameter belongs to a part of the network.

    Args:
        name: Dotted name of the parameter.
        part: Dotted name of the part, or of a parameter.
    """
    return name == part or name.startswith(f'{part}.')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(name=['FineTuneOptimConstructor', 'FineTuneOptim'])
class FineTuneOptimConstructor:
    """Builds an optimiser for a network of a trained backbone and an untrained head.

    It has four groups, with factors on the learning rate: the backbone's weights
    (1), its biases (2, without weight decay), the head's weights (``head_factor``)
    and its biases (twice that, without weight decay).  Parameters that are frozen
    when the optimiser is built are in no group.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``.
        paramwise_cfg: ``dict(head_factor=…)``; the default is 10.

    Source: SEAM's training code (a habit of weakly supervised segmentation
    since PSA, Ahn and Kwak, CVPR 2018).
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None):
        self.wrapper = dict(optim_wrapper_cfg)
        self.head_factor = float((paramwise_cfg or {}).get('head_factor', 10.0))

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser and its wrapper; call it once.

        Args:
            model: A network that has a ``head``, or mmengine's wrapper of it.
        """
        network = model.module if is_model_wrapper(model) else model
        config = dict(self.wrapper.pop('optimizer'))
        groups = self.groups(network, config['lr'], config.get('weight_decay', 0.0))
        optimizer = OPTIMIZERS.build(config, default_args=dict(params=groups))
        return OPTIM_WRAPPERS.build(self.wrapper, default_args=dict(optimizer=optimizer))

    def groups(self, network: Any, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the groups of an optimiser that are not empty, in the order of the class.

        Args:
            network: A network with a ``head``; all other parameters are the backbone's.
            lr: The learning rate of the backbone's weights.
            weight_decay: That of all weights but biases.
        """
        head = {id(parameter) for parameter in network.head.parameters()}
        groups = []
        for in_head in (False, True):
            for is_bias in (False, True):
                chosen = [
                    parameter
                    for name, parameter in network.named_parameters()
                    if parameter.requires_grad
                    and (id(parameter) in head) == in_head
                    and name.endswith('bias') == is_bias
                ]
                factor = (self.head_factor if in_head else 1.0) * (2.0 if is_bias else 1.0)
                groups.append(
                    dict(
                        params=chosen, lr=lr * factor, weight_decay=0.0 if is_bias else weight_decay
                    )
                )
        return [group for group in groups if group['params']]
