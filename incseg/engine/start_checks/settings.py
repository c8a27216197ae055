"""Settings that are allowed, and that nobody means often: a run says so at its start."""

from collections.abc import Iterator, Mapping
from typing import Any

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import lr_schedule
from incseg.engine.replay_memory import ReplayMemory

#: a factor below it changes no weight
LEAST = 1e-12


def doubts(experiment: Experiment, images: Mapping[int, int]) -> Iterator[str]:
    """Yield a line for each setting of a training that has no effect, or an odd one.

    Args:
        experiment: The experiment.
        images: The number of training images of each step that is to be trained, by step.
    """
    yield from weights_of_nothing(experiment.config['method'])
    yield from constant_rates(experiment, images)
    yield from large_batches(experiment, images)


def weights_of_nothing(method: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each part of a method whose weight is 0."""
    for key, part in weighted_parts(method).items():
        if not isinstance(part, Mapping):
            continue
        weight = part.get('loss_weight')
        if weight is not None and weight < LEAST:
            advice = (
                'nothing is learned from the labels; give it a weight'
                if key == 'method.loss_decode'
                else f'the part has no effect; give it a weight, or leave it out with {key}=None'
            )
            yield f'{key}.loss_weight is {weight!r}: {advice}'


def weighted_parts(method: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a method that may have a ``loss_weight``, by dotted key."""
    parts = {'method.loss_decode': method['loss_decode']}
    for kind in ('distillation', 'hooks'):
        named = (method.get(kind) or {}).items()
        parts |= {f'method.{kind}.{name}': part for name, part in named}
    return parts


def constant_rates(experiment: Experiment, images: Mapping[int, int]) -> Iterator[str]:
    """Yield a line where the power of a poly schedule is 0: the learning rate never decays."""
    config = experiment.config
    schedules = [('schedule', lr_schedule(experiment, k, 1)) for k in images]
    if seam := config.get('seam'):
        own = seam['schedule'].get('lr_schedule') or dict(power=seam['schedule']['poly_power'])
        schedules.append(('seam.schedule', own))
    for section in dict.fromkeys(name for name, each in schedules if each.get('power') == 0):
        yield (
            f'{section}.poly_power is 0: the learning rate stays what it is to the end of a step; '
            '0.9 is customary'
        )


def large_batches(experiment: Experiment, images: Mapping[int, int]) -> Iterator[str]:
    """Yield a line if batches are larger than steps, which then have a single, smaller one."""
    batch = experiment.config['batch_size']
    memory = ReplayMemory(experiment.config['method'].get('memory'), experiment.seed)
    small = []
    for k, number in images.items():
        replayed = memory.exemplars_per_batch(batch) if k else 0
        room = 0 if replayed or not k else memory.size
        if number + room < batch - replayed:
            small.append(f'step {k} has {number}')
    if small:
        yield (
            f'batch_size is {batch}, but {", ".join(small)} training images: each of its epochs '
            'is one iteration on a smaller batch; take a smaller batch_size, or more epochs'
        )
