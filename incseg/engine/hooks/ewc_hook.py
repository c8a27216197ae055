from typing import Any

from torch import Tensor

from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.fisher_pass import fisher_pass
from incseg.engine.hooks.importance_hook import ImportanceHook
from incseg.engine.importance import fisher_average, grown, normalised
from incseg.protocols.value_rules import SHARE, checked
from incseg.registry import HOOKS


@HOOKS.register_module()
class EWCHook(ImportanceHook):
    """Elastic weight consolidation: importance is the Fisher information.

    A running average of the squared gradient of the task loss, 1 for new
    parameters; what the next step is held by is that average normalised within
    each tensor.  Step 0 may be any method's: then the Fisher information comes
    from one pass over its data (:func:`~incseg.engine.fisher_pass.fisher_pass`).

    Args:
        loss_weight: See :class:`ImportanceHook`.
        alpha: Share of the newest batch in the average, 0 to 1.
        kwargs: See :class:`MethodHook`.

    Source: Kirkpatrick et al., "Overcoming catastrophic forgetting in neural
    networks", PNAS 2017, in the online form of Chaudhry et al., ECCV 2018.
    """

    def __init__(self, loss_weight: float = 500., alpha: float = 0.9, **kwargs: Any):
        super().__init__(loss_weight, **kwargs)
        self.alpha = checked(f'{self.key}.alpha', alpha, SHARE)

    def before_train(self, runner: Any) -> None:
        previous = self.previous
        if (previous is not None and self.resumed_state is None and not self.previous_state
                and read_step_checkpoint(previous)['meta']['step'] == 0):
            runner.logger.info(f'{self.name}: one pass over the data of the base step')
            self.previous_state = dict(fisher=fisher_pass(runner, previous, self.alpha))
        super().before_train(runner)
        start = self.previous_state if self.resumed_state is None else self.resumed_state
        self.fisher = grown(start.get('fisher', {}), self.parameters, 1.)

    def old_importance(self) -> dict[str, Tensor]:
        fisher = self.previous_state.get('fisher', {})
        return {name: normalised(value) for name, value in fisher.items()}

    def gather(self, gradients: dict[str, Tensor]) -> None:
        for name, gradient in gradients.items():
            self.fisher[name] = fisher_average(self.fisher[name], gradient, self.alpha)

    def state(self) -> dict[str, Any]:
        return dict(fisher=self.fisher)

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), 'fisher': self.fisher}
