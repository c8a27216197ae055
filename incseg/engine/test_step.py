import json
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from incseg.atomic_file import write_atomically
from incseg.engine.checkpoint import read_experiment_checkpoint
from incseg.engine.evaluate import evaluate
from incseg.engine.experiment import Experiment
from incseg.engine.hooks import PaintHook


def test_step(
    config: Any, checkpoint: str | Path, work_dir: str | Path, show_dir: str | Path | None = None
) -> dict[str, Any]:
    """Evaluate a step's saved network; step and classes come from the checkpoint.

    Args:
        config: A complete, checked config.
        checkpoint: A step's ``final.pth``.
        work_dir: Where logs and ``test_step_<k>.json`` go.
        show_dir: Where pictures of the predictions go, if anywhere.

    Returns:
        The step's entry as in a ledger, without what only training knows.
    """
    experiment = Experiment(config)
    content, k = read_experiment_checkpoint(experiment, checkpoint)
    hooks = () if show_dir is None else (
        PaintHook(show_dir, experiment.palette[:len(content['meta']['classes'])]),)
    metrics = evaluate(experiment, k, content, str(checkpoint), str(work_dir), hooks)
    ledger = experiment.new_ledger()
    ledger.header['method'] = content['meta']['method']
    entry = ledger.add(
        k, metrics, experiment.names(experiment.training.old(k)), train_images=None, seconds=None,
        history=[content['meta'].get('best_iou', {})])
    if is_main_process():
        write_atomically(Path(work_dir) / f'test_step_{k}.json', json.dumps(entry, indent=1) + '\n')
        print(ledger.class_table(), ledger.table(), sep='\n', flush=True)
    return entry
