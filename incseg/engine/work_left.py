"""The work that a run over several steps still has to do."""

from collections.abc import Mapping
from typing import Any

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import sampler_config
from incseg.registry import DATASETS

#: cost of an image without gradients, of the teacher or of a test, as a share of one in training
FORWARD = 1 / 3


class WorkLeft:
    """The images that a run still has to train on and to evaluate, and the time that they take.

    Args:
        trained: How many images each step is trained on, an image counted as often as it is
            seen, by step; a step that costs more per image counts more of them.
        tested: How many images the network of each of these steps is evaluated on.
        last: The last step of the experiment; None for the last of these steps.
    """

    def __init__(
        self, trained: Mapping[int, float], tested: Mapping[int, float], last: int | None = None
    ):
        self.last = max(trained, default=0) if last is None else last
        self.parts = [
            (step, kind, images)
            for step in sorted(trained)
            for kind, images in (('train', trained[step]), ('test', tested[step]))
        ]
        self.rates: dict[str, float] = {}

    def seconds(self, step: int, kind: str, iterations: int, done: int, each: float) -> float:
        """Return the seconds until the end of the run, and keep the pace for later parts.

        Args:
            step: The step that is at work.
            kind: ``'train'`` or ``'test'``: its training or its evaluation.
            iterations: Iterations of this part.
            done: How many of them are finished.
            each: Seconds that an iteration takes.
        """
        at = next(
            (i for i, part in enumerate(self.parts) if part[:2] == (step, kind)), len(self.parts)
        )
        if at < len(self.parts):
            self.rates[kind] = each * iterations / self.parts[at][2]
        later = sum(images * self._rate(kind) for _, kind, images in self.parts[at + 1 :])
        return each * (iterations - done) + later

    def _rate(self, kind: str) -> float:
        """Return the seconds per image of a kind of work, measured or from the other kind's."""
        if kind in self.rates:
            return self.rates[kind]
        factor = FORWARD if kind == 'test' else 1 / FORWARD
        return factor * next(iter(self.rates.values()), 0.0)


def work_left(
    experiment: Experiment, datasets: Mapping[int, Any], memory: int = 0, memory_batch: int = 0
) -> WorkLeft:
    """Return the work of some steps; a teacher counts as one more pass without gradients.

    A SEAM network that a step trains before is not counted: its training shows its own time left.

    Args:
        experiment: The steps, classes and method of a config.
        datasets: The training images of each of the steps.
        memory: How many images a memory adds to a later step.
        memory_batch: How many images of a batch are of the memory; 0 to mix them.
    """
    method, batch = experiment.config['method'], experiment.config['batch_size']
    teacher = bool(method.get('distillation') or method.get('target_labeller'))
    trained, tested = {}, {}
    lengths: dict[str, int] = {}
    for k, dataset in datasets.items():
        replayed = memory if k > 0 else 0
        sampler = sampler_config(experiment, k, len(dataset), replayed, memory_batch)
        trained[k] = sampler['num_iters'] * batch * (1 + FORWARD * (k > 0 and teacher))
        tested[k] = 0
        for part in experiment.sources.test_parts(k):
            test = part.arguments['dataset']
            if repr(test) not in lengths:
                lengths[repr(test)] = len(DATASETS.build(dict(test)))
            tested[k] += lengths[repr(test)]
    return WorkLeft(trained, tested, experiment.num_steps - 1)
