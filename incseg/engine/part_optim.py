from collections.abc import Mapping
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from incseg.errors import InvalidInputError
from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PartOptim:
    """An optimiser with factors on the learning rate of parts of the network.

    There is one group of parameters for each factor.  What is frozen when the
    optimiser is made is in none of them.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``.
        paramwise_cfg: ``dict(lr_factors=…)``: a factor by the beginning of
            parameters' names, ``'decode_head'`` or ``'decode_head.classifier'``;
            where several fit, the longest counts, where none does it is 1.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict):
        self.wrapper = dict(optim_wrapper_cfg)
        self.factors = dict(paramwise_cfg['lr_factors'])

    def __call__(self, model: nn.Module) -> OptimWrapper:
        network: Any = model.module if is_model_wrapper(model) else model
        config = dict(self.wrapper.pop('optimizer'))
        groups = factor_groups(network, config['lr'], self.factors)
        optimizer = OPTIMIZERS.build(config, default_args=dict(params=groups))
        return OPTIM_WRAPPERS.build(self.wrapper, default_args=dict(optimizer=optimizer))


def factor_groups(
    network: nn.Module, lr: float, factors: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """``dict(params=…, lr=…)`` for each factor, those of factor 1 first.

    A factor of None is left out, as if its part had not been named.

    Raises:
        InvalidInputError: If no parameter's name begins as one of the factors says.
    """
    given = {part: factor for part, factor in factors.items() if factor is not None}
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    parameters = dict(network.named_parameters())
    for part in given:
        if not any(is_part(name, part) for name, _ in network.named_parameters()):
            raise InvalidInputError(
                f'schedule.lr_factors names {part!r}, but no parameter is in it; allowed are parts '
                f'of the network, as {sorted({name.split(".")[0] for name in parameters})}')
    groups: dict[float, list[nn.Parameter]] = {1.: []}
    for name in names:
        fitting = [part for part in given if is_part(name, part)]
        factor = float(given[max(fitting, key=len)]) if fitting else 1.
        groups.setdefault(factor, []).append(parameters[name])
    return [dict(params=chosen, lr=lr * factor) for factor, chosen in groups.items() if chosen]


def is_part(name: str, part: str) -> bool:
    """Whether a parameter's dotted name is, or is below, that of a part."""
    return name == part or name.startswith(f'{part}.')
