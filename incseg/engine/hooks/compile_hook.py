from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from incseg.registry import HOOKS


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the networks, student and teacher, before the first iteration.

    Only backbone and heads: mmengine's ``cfg.compile`` takes the whole training
    step and breaks its graph at the optimiser.  Parameter names stay as they
    are.  The pass that also hands out a backbone's stages (PLOP) is compiled
    like the plain one; what is trained beside the network is not.  Pays on a
    GPU with a fixed crop; on a CPU it costs a minute and gives nothing.  torch
    keeps eight graphs of one function, so that after a few steps of other
    sizes heads, whose output grows, may run as they are.

    Args:
        options: Of :func:`torch.compile`.
    """

    priority = 'NORMAL'  # after the teacher was made

    def __init__(self, **options: Any):
        self.options = options

    def before_train(self, runner: Any) -> None:
        student = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for network in (student, getattr(student, 'teacher', None)):
            if network is not None:
                for part in (network.backbone, *network.heads.values()):
                    compile_in_place(part, self.options)


def compile_in_place(module: nn.Module, options: dict[str, Any]) -> None:
    """``module.compile()``, once."""
    if module._compiled_call_impl is None:
        module.compile(**options)
