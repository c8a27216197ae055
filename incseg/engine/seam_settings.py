from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incseg.datasets import BackgroundRule
from incseg.engine import cam_inference
from incseg.engine.resolve import resolve
from incseg.errors import InvalidInputError
from incseg.protocols.value_rules import SHARE, SWITCH, Rule, check_values, or_none, whole

#: what ``seam.inference`` may have, and what it is where it is left out
INFERENCE: dict[str, Any] = dict(
    scales=(.5, 1., 1.5, 2.), flip=True, maps='refined',
    background=dict(mode='const', value=.26), uncertain=None, scores=True, score_stride=1,
    batch_size=None, num_threads=2)
#: what is allowed there; :class:`BackgroundRule` itself knows of ``background``
RULES: dict[str, Rule] = dict(
    **cam_inference.RULES, uncertain=or_none(SHARE), scores=SWITCH, score_stride=whole(1),
    batch_size=or_none(whole(1)), num_threads=whole(1))
#: what ``seam`` may have beside ``model`` and what only its training reads
SEAM: dict[str, Any] = dict(
    image_labels=dict(type='MaskImageLabels'), refine=dict(type='NoRefinement'), inference={})


@dataclass
class SeamSettings:
    """The part of ``seam`` in a config that pseudo-labels are made by, defaults filled in."""

    model: dict[str, Any]
    image_labels: dict[str, Any]
    refine: dict[str, Any]
    inference: dict[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> 'SeamSettings':
        """Read a config's ``seam``.

        Raises:
            InvalidInputError: it is missing, has a key that is not known, or a
                value that is not allowed.
        """
        if 'model' not in (config.get('seam') or {}):
            raise InvalidInputError(
                "the config has no 'seam.model': pseudo-labels are made by the network that a "
                'weak experiment describes there')
        seam = resolve(config['seam'], config)
        chosen = {key: default if seam.get(key) is None else seam[key]
                  for key, default in SEAM.items()}
        check_inference(chosen['inference'])
        chosen['inference'] = {**INFERENCE, **chosen['inference']}
        return cls(model=seam['model'], **chosen)


def check_inference(options: Any) -> None:
    """Refuse, with InvalidInputError, what ``seam.inference`` may not be."""
    where = 'seam.inference'
    if not isinstance(options, Mapping):
        raise InvalidInputError(f'{where} is {options!r}, expected a dict')
    for key in options:
        if key not in INFERENCE:
            raise InvalidInputError(f"unknown key '{where}.{key}'; allowed: {sorted(INFERENCE)}")
    check_values(where, options, RULES)
    if 'background' in options:
        rule = BackgroundRule.of(options['background'], f'{where}.background')
        if rule.mode == 'score':
            raise InvalidInputError(
                f"{where}.background.mode is 'score', which is for maps that have one of the "
                "background, expected 'const' or 'pow'")
