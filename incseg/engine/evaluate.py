"""Evaluate the network of a step."""

import json
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper

from incseg.engine.checkpoint import FilePath, load_weights, read_experiment_checkpoint
from incseg.engine.hooks import PaintHook, show_work_left
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import config_for_test
from incseg.engine.runner.step_runner import StepRunner
from incseg.engine.start_checks import check_test
from incseg.engine.work_left import WorkLeft
from incseg.models.prediction import PredictionSettings
from incseg.utils.distributed import on_rank_zero
from incseg.utils.files import write_atomically
from incseg.utils.precision import gpu_arithmetic


def evaluate(
    experiment: Experiment,
    k: int,
    checkpoint: dict[str, Any],
    path: str,
    work_dir: str,
    hooks: tuple[Any, ...] = (),
    work: WorkLeft | None = None,
) -> dict[str, Any]:
    """Evaluate the saved network of step ``k`` on all test images.

    Training and ``incseg test`` both call this function, so that they print the
    same numbers.

    Args:
        experiment: The experiment.
        k: The step.
        checkpoint: The content ``{state_dict, meta, …}`` of the step's ``final.pth``.
        path: The path of that ``final.pth``, for messages.
        work_dir: The folder of the Runner's logs.
        hooks: Hooks to register, for instance one that draws predictions.
        work: The work of the run to which the evaluation belongs, for the time left.

    Returns:
        ``{'iou': {class name: percent or None}, 'accuracy': percent}``.
    """
    if not experiment.sources.test_parts(k):  # no home is within reach
        return dict(iou=dict.fromkeys(experiment.classes_at(k)), accuracy=None)
    runner = StepRunner.from_cfg(config_for_test(experiment, k, work_dir))
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    load_weights(model, checkpoint['state_dict'], path)
    model.prediction = PredictionSettings.of(experiment.config.get('test_cfg'))
    for hook in hooks:
        runner.register_hook(hook)
    show_work_left(runner.hooks, work, k)
    with gpu_arithmetic(experiment.tf32, deterministic=experiment.deterministic):
        metrics = runner.test()
    runner.close()
    return {name.removeprefix('seg/'): value for name, value in metrics.items()}


def evaluate_checkpoint(
    config: Any,
    checkpoint: FilePath,
    work_dir: str | Path,
    show_dir: str | Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Evaluate a step's saved network; the checkpoint says its step and classes.

    Args:
        config: A complete, checked config.
        checkpoint: A step's ``final.pth``.
        work_dir: The folder of logs and of ``test_step_<k>.json``, which is written anew.
        show_dir: The folder of pictures of the predictions; None for no pictures.
        force: Whether to write over pictures that are there already.

    Returns:
        The step's entry as in a ledger, without the keys that only training knows.

    Raises:
        UserError: The checkpoint is missing, damaged or of another protocol, or a picture
            is there already.
    """
    experiment = Experiment(config)
    content, k = read_experiment_checkpoint(experiment, checkpoint)
    painted = (
        None if show_dir is None else PaintHook(show_dir, experiment.sources.palette(k), force)
    )
    hooks = () if painted is None else (painted,)
    if experiment.sources.has_test(k):
        on_rank_zero(lambda: check_test(experiment, k))
    metrics = evaluate(experiment, k, content, str(checkpoint), str(work_dir), hooks)
    ledger = experiment.new_ledger()
    ledger.header['method'] = content['meta']['method']
    ledger.header['protocol'] |= experiment.sources.ledger_sources({})
    if 'homes' in ledger.header['protocol']:
        ledger.header['elsewhere'] = metrics.get('elsewhere')
    entry = ledger.add(
        k,
        metrics,
        experiment.sources.old(k),
        train_images=None,
        seconds=None,
        history=[content['meta'].get('best_iou', {})],
        **{key: ledger.header[key] for key in ('test', 'elsewhere') if key in ledger.header},
    )
    if is_main_process():
        write_atomically(Path(work_dir) / f'test_step_{k}.json', json.dumps(entry, indent=1) + '\n')
        print(ledger.tables(), flush=True)
    return entry
