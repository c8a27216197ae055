from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incseg.engine.resolve import resolve
from incseg.errors import InvalidInputError
from incseg.protocols.arguments import whole_number

#: what ``seam.inference`` may have, and what it is where it is left out
INFERENCE: dict[str, Any] = dict(
    scales=(.5, 1., 1.5, 2.), flip=True, maps='refined',
    background=dict(mode='const', value=.26), uncertain=None, scores=True, score_stride=1,
    batch_size=None, num_threads=2)
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
        if 'seam' not in config or 'model' not in config['seam']:
            raise InvalidInputError(
                "the config has no 'seam.model': pseudo-labels are made by the network that a "
                'weak experiment describes there')
        seam = resolve(config['seam'], config)
        for key in seam.get('inference', ()):
            if key not in INFERENCE:
                raise InvalidInputError(
                    f"unknown key 'seam.inference.{key}'; allowed: {sorted(INFERENCE)}")
        chosen = {key: seam.get(key) or default for key, default in SEAM.items()}
        chosen['inference'] = {**INFERENCE, **chosen['inference']}
        for key in ('batch_size', 'num_threads', 'score_stride'):
            value = chosen['inference'][key]
            if key != 'batch_size' or value is not None:
                whole_number(f'seam.inference.{key}', value, 1)
        return cls(model=seam['model'], **chosen)
