"""How long an iteration of a step takes on this machine, measured before the step is trained."""

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from incseg.apis.teach.taught_config import Effort
from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.hooks.method import hand_over
from incseg.engine.labels import all_labels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import config_for_step
from incseg.engine.runner.step_runner import StepRunner
from incseg.engine.step_context import StepContext
from incseg.engine.step_datasets import step_datasets
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_run_config
from incseg.models.convolutions import AUTO
from incseg.utils.rules import expected, is_number

#: iterations that are left out: the first ones are slower
WARM = 2
#: iterations that are timed at least and at most, and seconds after which it is enough
LEAST, MOST, ENOUGH = 3, 20, 5.0


class EnoughError(Exception):
    """End a training that is only timed."""


class PaceHook(Hook):
    """Take the time of a few iterations, and end the training.

    Attributes:
        seconds: Mean seconds of an iteration, once the training has ended.
    """

    priority = 'LOWEST'
    seconds = 0.0

    def __init__(self) -> None:
        self._done = 0
        self._begun = time.perf_counter()

    def before_train(self, runner: Any) -> None:
        self._begun = time.perf_counter()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._done += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now, timed = time.perf_counter(), self._done - WARM
        if timed <= 0 and self._done < runner.max_iters:
            self._begun = now
            return
        self.seconds = (now - self._begun) / max(timed, 1)
        enough = timed >= LEAST and now - self._begun > ENOUGH
        if enough or timed >= MOST or self._done == runner.max_iters:
            raise EnoughError


def seconds_per_iteration(config: Config, model: str | Path) -> float:
    """Return how many seconds an iteration of the last step of a config takes here.

    A few iterations are trained in a folder that is removed again: with the images, the batch,
    the method and the loader of the step.

    Args:
        config: A complete, checked config.
        model: The ``final.pth`` of the step before.
    """
    experiment, previous = Experiment(config), StepCheckpoint(model)
    k, labels = experiment.num_steps - 1, all_labels(experiment)
    dataset = step_datasets(experiment, labels, [k])[k]
    with TemporaryDirectory() as folder:
        step = config_for_step(
            experiment, k, len(dataset), folder, previous=str(model), dataset=labels[k].dataset()
        )
        if step.model.get('channels_last') == AUTO:
            theirs = (previous.config or {}).get('model', {}).get('channels_last')
            step.model['channels_last'] = theirs is True
        step.default_hooks['logger'] = None
        step['log_level'] = 'WARNING'
        pace = PaceHook()
        runner = StepRunner.from_cfg(step)
        runner.use_dataset(dataset)
        hand_over(runner.hooks, StepContext(k, Path(folder), previous, labels[k]))
        runner.register_hook(pace)
        try:
            runner.train()
        except EnoughError:
            pass
        finally:
            runner.close()
        del runner
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return pace.seconds


def shortened(chosen: Effort, minutes: float, config: Config, model: str | Path) -> Effort:
    """Return the same effort with no more epochs than fit into some minutes.

    Args:
        chosen: The effort of the whole schedule.
        minutes: What the user allows.
        config, model: See :func:`seconds_per_iteration`.

    Raises:
        InvalidInputError: Not even one epoch fits.
    """
    each, per_epoch = seconds_per_iteration(config, model), chosen.iterations // chosen.epochs
    epochs = epochs_in(minutes, each, per_epoch, chosen.epochs)
    iterations = epochs * per_epoch
    return replace(chosen, epochs=epochs, iterations=iterations, minutes=each * iterations / 60)


def epochs_in(minutes: Any, each: float, per_epoch: int, most: int) -> int:
    """Return how many epochs a step is trained, so that it takes no longer than some minutes.

    Args:
        minutes: What the user allows.
        each: Seconds of an iteration.
        per_epoch: Iterations of an epoch.
        most: Epochs of the whole schedule.

    Raises:
        InvalidInputError: Not even one epoch fits.
    """
    fits = int(60 * minutes / (each * per_epoch)) if each else most
    if fits < 1:
        needed = each * per_epoch / 60
        raise expected(
            '--minutes',
            minutes,
            f'at least {needed:.2g}: one pass over the images takes that long here '
            f'({per_epoch} iterations of {each:.2g} s)',
        )
    return min(fits, most)


def check_minutes(minutes: Any, epochs: Any) -> None:
    """Refuse minutes that are none, and both minutes and epochs.

    Raises:
        InvalidInputError: Naming the option.
    """
    if minutes is None:
        return
    if not is_number(minutes) or not 0 < minutes < 1e6:
        raise expected('--minutes', minutes, 'a number above 0')
    if epochs is not None:
        raise InvalidInputError(
            '--minutes and --epochs are both given, expected one: how long the training takes, or '
            'how often it sees each image'
        )


def epochs_before(folder: Path) -> int | None:
    """Return the epochs with which an interrupted call was begun; None where there is none.

    A call that goes on keeps them: another time of day would give others.

    Args:
        folder: The run's folder.
    """
    epochs = (read_run_config(folder) or {}).get('epochs')
    return epochs if isinstance(epochs, int) else None
