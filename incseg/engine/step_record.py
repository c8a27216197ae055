"""What the files of a run say of a step: its checkpoint's meta, and its classes' best scores."""

from collections.abc import Mapping
from typing import Any

from incseg import __version__
from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir import WorkDir
from incseg.evaluation import Ledger

#: keys of a checkpoint's ``meta`` that say where its weights came from; the ledger has them too
ORIGINS = ('weights_source', 'imported_from', 'imported_digest')


def step_meta(experiment: Experiment, k: int) -> dict[str, Any]:
    """Return the keys of ``meta`` that say which step a checkpoint is of.

    Args:
        experiment: The experiment.
        k: The step.
    """
    sources = experiment.sources
    return dict(
        incseg_version=__version__,
        method=experiment.method,
        protocol=experiment.describe_protocol(k),
        step=k,
        classes=experiment.classes_at(k),
        palette=sources.palette(k),
        outputs_per_step=list(sources.outputs_per_step(k)),
    )


def origins(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a checkpoint's ``meta`` that a ledger repeats, see :data:`ORIGINS`."""
    return {key: meta[key] for key in ORIGINS if key in meta}


def of_homes(
    ledger: Ledger, tests: Mapping[str, int | None], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keys that an entry of the ledger has in an open protocol alone.

    Args:
        ledger: The run's ledger.
        tests: The number of test images of the step, by the name of their source.
        metrics: The scores of the step.
    """
    if 'homes' not in ledger.header['protocol']:
        return {}
    return dict(tests=dict(tests), elsewhere=metrics.get('elsewhere'))


def best_iou(
    k: int, ledger: Ledger, work_dir: WorkDir, previous: StepCheckpoint | None
) -> dict[str, float]:
    """Return each old class's best IoU at any earlier step; forgetting is measured from it.

    Args:
        k: The step.
        ledger: The run's ledger.
        work_dir: The run's work dir.
        previous: The previous step's checkpoint; None at step 0.
    """
    best = {} if previous is None else dict(previous.meta.get('best_iou', {}))
    earlier = [entry['iou'] for entry in ledger.steps if entry['step'] < k]
    if record := work_dir.metrics(k - 1):
        earlier.append(record['iou'])
    for iou in earlier:
        for name, value in iou.items():
            if value is not None:
                best[name] = max(value, best.get(name, value))
    return best
