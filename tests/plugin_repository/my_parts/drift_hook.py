import torch
from mmengine.model import is_model_wrapper

from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.hooks.method_hook import MethodHook
from incseg.protocols.value_rules import SHARE, checked
from incseg.registry import HOOKS


@HOOKS.register_module()
class DriftHook(MethodHook):
    """After every update, pulls each parameter back a little to where the step before ended."""

    def __init__(self, pull=0.01, **kwargs):
        super().__init__(**kwargs)
        self.pull = checked(f'method.hooks.{self.name}.pull', pull, SHARE)
        self.distance = None
        self.end = None

    def before_train(self, runner):
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        before = read_step_checkpoint(self.previous)
        self.pairs = [
            (value, before['state_dict'][name].to(value))
            for name, value in model.named_parameters()
            if name in before['state_dict']
        ]
        self.steps = [*self.previous_state.get('steps', []), before['meta']['step'] + 1]
        resumed = self.resumed_state or {}
        self.updates = resumed.get('updates', 0)
        self.total = resumed.get('total', torch.zeros(()))
        runner.optim_wrapper.after_step.append(self.after_step)

    @torch.no_grad()
    def after_step(self):
        self.updates += 1
        for value, old in self.pairs:
            value.lerp_(old, self.pull)
        self.distance = torch.stack([(value - old).square().sum() for value, old in self.pairs])
        self.distance = self.distance.sum().sqrt()
        self.total = self.total + self.distance

    def after_train(self, runner):
        before = read_step_checkpoint(self.previous)
        self.end = len(before['state_dict'])
        runner.logger.info(f'{self.name}: {self.updates} updates after {before["meta"]["classes"]}')

    def state(self):
        return dict(steps=self.steps, updates=self.updates, total=self.total, weights=self.end)

    def progress(self):
        return dict(updates=self.updates, total=self.total)

    def losses(self):
        return {} if self.distance is None else dict(distance=self.distance)
