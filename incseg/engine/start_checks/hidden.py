"""Whether the losses of a method understand which classes the background of a step hides."""

from collections.abc import Mapping
from typing import Any

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_of_config
from incseg.engine.recipe.open_protocol import OpenProtocol
from incseg.errors import InvalidInputError
from incseg.models.segmentors.hidden_classes import takes_hidden
from incseg.registry import MODELS, part_of


def check_hidden(experiment: Experiment, datasets: Mapping[int, Any]) -> None:
    """Refuse a loss that has no keyword ``hidden`` where only some old classes are hidden.

    Args:
        experiment: The experiment.
        datasets: The training images of each step that is to be trained, by step.

    Raises:
        InvalidInputError: Naming the loss, the step and the classes.
    """
    for k, dataset in datasets.items():
        outputs = experiment.sources.outputs_per_step(k)
        old = {*range(1, sum(outputs[:-1]))}
        sets = [getattr(dataset, 'hidden', None), *shown_again(experiment, k)]
        some = [each for each in sets if each and {*each} != old]
        if not some:
            continue
        hidden = some[0]
        model = model_of_config(experiment.raw_config, k, outputs)
        heads = [model['decode_head'], *(model.get('auxiliary_head') or {}).values()]
        for loss in (head['loss_decode'] for head in heads if head is not None):
            kind = part_of(loss['type'], MODELS)
            if kind is None or takes_hidden(kind):
                continue
            names = experiment.classes_at(k)
            shown = ', '.join(names[i] for i in sorted(old - {*hidden}))
            raise InvalidInputError(
                f'step {k}: its labels show the old classes {shown} and hide '
                f'{", ".join(names[i] for i in hidden)}, which {loss["type"]} does not understand '
                'as it has no keyword hidden; expected another loss, or old_labels=False of the '
                'step and no memory'
            )


def shown_again(experiment: Experiment, k: int) -> list[tuple[int, ...]]:
    """Return the train ids that images of earlier sources hide when step ``k`` replays them.

    Args:
        experiment: The experiment.
        k: The step.
    """
    memory, sources = experiment.config['method'].get('memory') or {}, experiment.sources
    if not memory.get('size') or memory.get('labels', 'seen') != 'seen':
        return []
    if not isinstance(sources, OpenProtocol):
        return []
    plan = sources.plan
    return [plan.train_ids(plan.hidden(k, step.source)) for step in plan.steps[:k]]
