"""The heads of a segmentation network, built for its backbone."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from incseg.errors import InvalidInputError
from incseg.registry import MODELS


def build_head(
    config: dict, backbone: Any, outputs_per_step: Sequence[int], shrink: int = 1
) -> nn.Module:
    """Build a head with its loss and its classifier.

    Args:
        config: Config of the head; ``in_channels`` and ``channels`` have defaults.
        backbone: The backbone, with ``out_channels``.
        outputs_per_step: Classes of each step so far, see :class:`EncoderDecoder`.
        shrink: Divisor of the default of ``channels``.

    Raises:
        InvalidInputError: If the head does not fit the backbone, or the loss the head.
    """
    cfg = dict(config)
    offered = backbone.out_channels
    index = cfg.get('in_index', -1)
    if not -len(offered) <= index < len(offered):
        raise InvalidInputError(
            f'head {cfg["type"]}: in_index is {index}, but the backbone returns {len(offered)} maps'
        )
    in_channels = cfg.setdefault('in_channels', offered[index])
    if in_channels != offered[index]:
        raise InvalidInputError(
            f"head {cfg['type']}: in_channels is {in_channels}, but the backbone's map "
            f'{index} has {offered[index]} (its maps have {list(offered)} channels)'
        )
    cfg.setdefault('channels', in_channels // shrink)
    loss = cfg.pop('loss_decode', None)  # a head need not take it as an argument
    head = MODELS.build(cfg)
    if loss is not None:
        head.loss_decode = MODELS.build(loss) if isinstance(loss, dict) else loss
    loss_fits = getattr(head.loss_decode, 'without_background', False)
    if not head.has_background and not loss_fits:
        raise InvalidInputError(
            f'loss_decode is {type(head.loss_decode).__name__}, expected a loss with '
            f'without_background = True, because {cfg["type"]} has no background output'
        )
    head.build_classifier(outputs_per_step)
    return head
