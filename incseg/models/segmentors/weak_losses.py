from typing import Any

from torch import Tensor

from incseg.models.segmentors.encoder_decoder import IGNORE_INDEX
from incseg.models.segmentors.image_weight import weighted_by_image
from incseg.models.weak.localisation import Localisation
from incseg.structures import NetworkOutputs


def weak_losses(network: Any, inputs: Tensor, image_labels: Tensor) -> dict[str, Tensor]:
    """The losses of a step that has image-level labels and no masks.

    Every head is trained with the labeller's soft targets.

    Args:
        network: An :class:`IncrementalSegmentor` whose target labeller takes
            image-level labels.
        inputs: Images ``(N, 3, H, W)``.
        image_labels: ``(N, C_new)``, 1 where the image shows the new class.

    Returns:
        ``'<head>.loss'``, ``'labeller.<name>.loss'`` and
        ``'distillation.<name>.loss'``.
    """
    student = network.extract(inputs, intermediate='intermediate' in network.reads)
    teacher = network.run_teacher(inputs)
    made = network.target_labeller(inputs, image_labels, student, teacher)
    losses = {f'{name}.loss': network.head_weight(name) * soft_loss(head, name, student, made)
              for name, head in network.heads.items()}
    losses |= {f'labeller.{name}.loss': loss for name, loss in made.losses.items()}
    losses |= {f'distillation.{name}.loss': compare(student, teacher)
               for name, compare in network.distillation.items()}
    return losses


def soft_loss(head: Any, name: str, student: NetworkOutputs, made: Localisation) -> Tensor:
    """The loss of one head, not weighted; 0 without targets."""
    if made.targets is None:  # a gradient of zero: DDP waits for every parameter's
        return 0. * student.logits[name].sum()
    return weighted_by_image(
        head.loss_decode, student.logits[name], made.targets, made.image_weight,
        num_old=head.num_old, ignore_index=IGNORE_INDEX)
