"""Whether the losses of a method understand which classes the background of a step hides."""

from collections.abc import Mapping
from typing import Any

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_of_config
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
        hidden = getattr(dataset, 'hidden', None)
        outputs = experiment.sources.outputs_per_step(k)
        old = {*range(1, sum(outputs[:-1]))}
        if hidden is None or not hidden or {*hidden} == old:
            continue
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
                'step'
            )
