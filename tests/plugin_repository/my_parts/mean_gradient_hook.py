from incseg.engine.hooks.importance_hook import ImportanceHook
from incseg.engine.importance import grown, normalised
from incseg.protocols.value_rules import SHARE, check_values
from incseg.registry import HOOKS


@HOOKS.register_module()
class MeanGradientHook(ImportanceHook):
    """Importance is the running mean of the gradient's size, from step 0 on."""

    in_base_step = True

    def __init__(self, loss_weight=1.0, share=0.5, **kwargs):
        super().__init__(loss_weight, **kwargs)
        check_values(self.key, dict(share=share), dict(share=SHARE))
        self.share = share

    def before_train(self, runner):
        super().before_train(runner)
        start = self.previous_state if self.resumed_state is None else self.resumed_state
        self.mean = grown(start.get('mean', {}), self.parameters, 0.0)
        self.batches = start.get('batches', 0)

    def old_importance(self):
        return {
            name: normalised(value) for name, value in self.previous_state.get('mean', {}).items()
        }

    def gather(self, gradients):
        self.batches += 1
        for name, gradient in gradients.items():
            self.mean[name] = self.share * gradient.abs() + (1 - self.share) * self.mean[name]

    def state(self):
        return dict(mean=self.mean, batches=self.batches)

    def progress(self):
        return {**super().progress(), **self.state()}
