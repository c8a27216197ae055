"""The settings of a config by which pseudo-labels are made (``seam``) and read (``annotation``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incseg.datasets import BackgroundRule
from incseg.engine.recipe.names import resolve
from incseg.engine.weak import cam_inference
from incseg.errors import InvalidInputError
from incseg.utils.rules import (
    SHARE,
    SWITCH,
    Rule,
    check_values,
    expected,
    or_none,
    unknown_key,
    whole,
)

#: the options of ``seam.inference`` with their defaults
INFERENCE: dict[str, Any] = dict(
    scales=(0.5, 1.0, 1.5, 2.0),
    flip=True,
    maps='refined',
    background=dict(mode='const', value=0.26),
    uncertain=None,
    scores=True,
    score_stride=1,
    batch_size=None,
    num_threads=2,
)
#: rules of these options; :class:`BackgroundRule` checks ``background`` itself
RULES: dict[str, Rule] = dict(
    **cam_inference.RULES,
    uncertain=or_none(SHARE),
    scores=SWITCH,
    score_stride=whole(1),
    batch_size=or_none(whole(1)),
    num_threads=whole(1),
)
#: the other keys of ``seam`` that make labels, with their defaults
SEAM: dict[str, Any] = dict(
    image_labels=dict(type='MaskImageLabels'), refine=dict(type='NoRefinement'), inference={}
)


@dataclass
class SeamSettings:
    """The settings of ``seam`` by which pseudo-labels are made, defaults filled in.

    Attributes:
        model: Config of the network.
        image_labels: Config of the source of image-level labels.
        refine: Config of the refinement.
        inference: All options of ``seam.inference``.
    """

    model: dict[str, Any]
    image_labels: dict[str, Any]
    refine: dict[str, Any]
    inference: dict[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> 'SeamSettings':
        """Read the settings from the section ``seam`` of a config; missing ones get their default.

        Args:
            config: The whole config.

        Raises:
            InvalidInputError: The section is missing, has an unknown key, or a value that is
                not allowed.
        """
        if 'model' not in (config.get('seam') or {}):
            raise InvalidInputError(
                "the config has no 'seam.model', the network that makes pseudo-labels: add one "
                'of configs/_base_/seam'
            )
        seam = resolve(config['seam'], config)
        settings = {
            key: default if seam.get(key) is None else seam[key] for key, default in SEAM.items()
        }
        check_inference(settings['inference'])
        settings['inference'] = {**INFERENCE, **settings['inference']}
        return cls(model=seam['model'], **settings)


def check_inference(options: Any) -> None:
    """Refuse an unknown key or a value out of range in the section ``seam.inference``.

    Args:
        options: The section.

    Raises:
        InvalidInputError: Naming the key and its value.
    """
    where = 'seam.inference'
    if not isinstance(options, Mapping):
        raise expected(where, options, 'a dict')
    for key in options:
        if key not in INFERENCE:
            raise unknown_key(f'{where}.{key}', where, {f'{where}.{each}' for each in INFERENCE})
    check_values(where, options, RULES)
    if 'background' in options:
        rule = BackgroundRule.of(options['background'], f'{where}.background')
        if rule.mode == 'score':
            raise expected(f'{where}.background.mode', 'score', "'const' or 'pow'")


#: rules of the options of ``annotation`` of pseudo-labels
ANNOTATION_RULES: dict[str, Rule] = dict(
    folder=(lambda value: value is None or isinstance(value, str), 'a folder, or None'),
    threshold=or_none(SHARE),
    uncertain=or_none(SHARE),
    gating=SWITCH,
)


def check_annotation(config: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse options of ``annotation`` that are not allowed, or that do not fit the config.

    Args:
        config: The whole config.
        options: ``folder``, ``threshold``, ``uncertain`` and ``gating``.

    Raises:
        InvalidInputError: Naming the option.
    """
    check_values('annotation', options, ANNOTATION_RULES)
    if config['method'].get('memory'):
        raise InvalidInputError(
            'annotation and method.memory do not go together: images of earlier steps have no '
            'pseudo-labels of this step'
        )
    if options['folder'] is None and config.get('seam') is None:
        raise InvalidInputError(
            "annotation.folder is None and the config has no 'seam' to make pseudo-labels: name "
            'their folder, or add one of configs/_base_/seam'
        )
