"""Settings that are allowed, and that nobody means often: a run says so at its start."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import torch

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import learning_rate, lr_schedule, sampler_config
from incseg.engine.replay_memory import ReplayMemory
from incseg.registry import PARAM_SCHEDULERS

#: a factor below it changes no weight
LEAST = 1e-12
#: crops below it, in pixels, and scales below it are not meant
SMALLEST_CROP, SMALLEST_SCALE = 16, 0.05
#: learning rates above it: SGD with momentum diverges
LARGEST_RATE = 1
#: the schedules of so many iterations are looked at; that takes half a second
MOST_ITERS = 50_000


def doubts(experiment: Experiment, images: Mapping[int, int]) -> Iterator[str]:
    """Yield a line for each setting of a training that has no effect, or an odd one.

    Args:
        experiment: The experiment.
        images: The number of training images of each step that is to be trained, by step.
    """
    yield from weights_of_nothing(experiment.config['method'])
    yield from odd_rates(experiment, images)
    yield from large_batches(experiment, images)
    yield from two_rules(experiment.config['data'])
    yield from tiny_pictures(experiment.config)
    yield from equal_colours(experiment, max(images, default=0))


def tiny_pictures(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for crops that show hardly anything, and for pictures shrunk to nothing."""
    size = config.get('crop_size')
    sides = size if isinstance(size, Sequence) else [size]
    if any(isinstance(side, int) and side < SMALLEST_CROP for side in sides):
        yield (
            f'crop_size is {size!r}, in pixels: a network of stride 8 sees hardly more than one '
            'place of such a crop; 512 is customary'
        )
    scale = config.get('image_scale')
    if isinstance(scale, float | int) and scale < SMALLEST_SCALE:
        yield (
            f'image_scale is {scale!r}: a picture of 500 pixels becomes one of '
            f'{max(1, round(500 * scale))}; 1 keeps pictures as they are'
        )


def equal_colours(experiment: Experiment, k: int) -> Iterator[str]:
    """Yield a line for two classes of one colour, which painted pictures do not tell apart."""
    names, seen = experiment.classes_at(k), dict[tuple, str]()
    for name, colour in zip(names, experiment.sources.palette(k), strict=True):
        other = seen.setdefault(tuple(colour), name)
        if other != name:
            yield (
                f'classes {other!r} and {name!r} have one colour, {list(colour)}: painted pictures '
                'do not tell them apart; give one another colour in metainfo.palette'
            )
            return


def two_rules(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each rule of pictures that training and test images do not share."""
    for key, usual in (('exif', 'apply'), ('value_range', None)):
        train, test = (data[split].get(key, usual) for split in ('train', 'test'))
        if train != test:
            yield (
                f'data.train.{key} is {train!r}, data.test.{key} {test!r}: test images are read '
                'otherwise than training images; set both alike unless the files differ'
            )


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
        factors = {name: each for name, each in part.items() if name.endswith('_factor')}
        if factors and weight is None and max(factors.values()) < LEAST:
            yield (
                f'{", ".join(f"{key}.{name}" for name in factors)} are 0: the part has no effect; '
                f'give one of them a value, or leave the part out with {key}=None'
            )


def weighted_parts(method: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a method that may have a ``loss_weight``, by dotted key."""
    parts = {'method.loss_decode': method['loss_decode']}
    for kind in ('distillation', 'hooks'):
        named = (method.get(kind) or {}).items()
        parts |= {f'method.{kind}.{name}': part for name, part in named}
    return parts


def odd_rates(experiment: Experiment, images: Mapping[int, int]) -> Iterator[str]:
    """Yield a line for the first step whose rate is large, and for one where it never falls."""
    schedule = experiment.config['schedule']
    for k in images:
        if (rate := learning_rate(experiment, k)) > LARGEST_RATE:
            yield (
                f'schedule.lr.{"added" if k else "base"} is {rate!r}: networks hardly ever stay '
                'finite at such a rate; 0.01 is customary'
            )
            break
    key = 'schedule.lr_schedule' if schedule.get('lr_schedule') else 'schedule.poly_power'
    name = f'{key}={schedule[key.rpartition(".")[2]]!r}'
    room = MOST_ITERS
    for k, number in images.items():
        room -= (iters := sampler_config(experiment, k, number)['num_iters'])
        rates = rates_of(experiment, k, iters) if room >= 0 else []
        if fault := fault_of(rates) if rates else None:
            yield f'{name}: the learning rate of step {k} {fault}; poly_power=0.9 is customary'
            break
    if seam := experiment.config.get('seam'):
        power = seam['schedule']['poly_power']
        if not seam['schedule'].get('lr_schedule') and power == 0:
            yield 'seam.schedule.poly_power is 0: the learning rate never falls; 0.9 is customary'


def rates_of(experiment: Experiment, k: int, iters: int) -> list[float]:
    """Return the learning rate of a step at each iteration and at the end.

    The list is empty for a schedule that needs more than the number of iterations.

    Args:
        experiment: The experiment.
        k: The step.
        iters: Its number of iterations.
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=learning_rate(experiment, k))
    rates = []
    try:
        schedule = lr_schedule(experiment, k, iters)
        scheduler = PARAM_SCHEDULERS.build(dict(schedule, optimizer=optimizer))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that the optimiser makes no steps
            for _ in range(iters):
                rates.append(float(optimizer.param_groups[0]['lr']))
                scheduler.step()
    except Exception:  # whatever it needs, as the value of a loss: it is not there yet
        return []
    return [*rates, float(optimizer.param_groups[0]['lr'])]


def fault_of(rates: Sequence[float]) -> str | None:
    """Say what is odd about the learning rates of a step; None if nothing is."""
    if not all(map(isfinite, rates)):
        return 'is no finite number at some iteration'
    if sorted(rates)[len(rates) // 2] < LEAST:
        return f'is below {LEAST:g} for half of its iterations, where no weight changes'
    if rates[-1] >= max(rates):
        return f'never falls: it is {rates[0]:g} at the start and {rates[-1]:g} at the end'
    return None


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
