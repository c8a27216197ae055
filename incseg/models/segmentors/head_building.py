"""The heads of a segmentation network, built for its backbone."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from incseg.registry import MODELS
from incseg.utils.rules import expected


def build_head(
    backbone: Any, outputs_per_step: Sequence[int], name: str, config: dict, shrink: int = 1
) -> nn.Module:
    """Build a head with its loss and its classifier.

    Args:
        backbone: The backbone, with ``out_channels``.
        outputs_per_step: Classes of each step so far; the first number includes the
            background.
        name: The head's key in the config of the model, for errors.
        config: Config of the head, not changed.  ``in_channels`` defaults to the channels of
            the backbone's map, ``channels`` to that number divided by ``shrink``.
        shrink: Divisor of the default of ``channels``.

    Raises:
        InvalidInputError: If the head does not fit the backbone, or the loss the head.
    """
    cfg = dict(config)
    offered = getattr(backbone, 'out_channels', None)
    if not isinstance(offered, Sequence) or not offered:
        raise expected(
            f'out_channels of {type(backbone).__name__}',
            offered,
            'the channels of each map that heads read, a tuple of one or more',
        )
    index = cfg.get('in_index', -1)
    several = isinstance(index, list | tuple) and len(index) > 0
    indices = list(index) if several else [index]
    if not all(isinstance(i, int) and -len(offered) <= i < len(offered) for i in indices):
        raise expected(
            f'model.{name}.in_index',
            index,
            f'the index of one of the {len(offered)} maps of {type(backbone).__name__}, or a list '
            'of some, if the head reads several',
        )
    channels = [offered[i] for i in indices]
    fitting = channels if several else channels[0]
    in_channels = cfg.setdefault('in_channels', fitting)
    given = list(in_channels) if isinstance(in_channels, list | tuple) else in_channels
    if given != fitting:
        raise expected(
            f'model.{name}.in_channels',
            in_channels,
            f'{fitting}, as map {index} of {type(backbone).__name__} (its maps have '
            f'{list(offered)} channels)',
        )
    if not several:
        cfg.setdefault('channels', in_channels // shrink)
    loss = cfg.pop('loss_decode', None)  # a head need not take it as an argument
    head = MODELS.build(cfg)
    if loss is not None:
        head.loss_decode = MODELS.build(loss) if isinstance(loss, dict) else loss
    loss_fits = getattr(head.loss_decode, 'without_background', False)
    if not head.has_background and not loss_fits:
        raise expected(
            'loss_decode',
            type(head.loss_decode).__name__,
            f'a loss with without_background = True: {cfg["type"]} has no background output',
        )
    head.build_classifier(outputs_per_step)
    return head
