from typing import Any

from mmengine.model import is_model_wrapper

from incseg.engine.checkpoint import load_weights
from incseg.engine.experiment import Experiment
from incseg.engine.gpu_arithmetic import gpu_arithmetic
from incseg.engine.step_config import config_for_test
from incseg.engine.step_runner import StepRunner


def evaluate(
    experiment: Experiment, k: int, checkpoint: dict[str, Any], path: str, work_dir: str,
    hooks: tuple[Any, ...] = (),
) -> dict[str, Any]:
    """Evaluate the saved network of step ``k`` on all test images.

    Training and ``tools/test.py`` both come here, so they print the same
    numbers.

    Args:
        experiment: The experiment.
        k: The step.
        checkpoint: The content of its ``final.pth``.
        path: Where that came from, for messages.
        work_dir: Where the Runner may write its logs.
        hooks: Hooks to register, for instance one that draws predictions.

    Returns:
        ``{'iou': {class name: percent or None}, 'accuracy': percent}``.
    """
    runner = StepRunner.from_cfg(config_for_test(experiment, k, work_dir))
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    load_weights(model, checkpoint['state_dict'], path)
    for hook in hooks:
        runner.register_hook(hook)
    with gpu_arithmetic(experiment.tf32):
        metrics = runner.test()
    runner.close()
    return {name.removeprefix('seg/'): value for name, value in metrics.items()}
