"""The ``annotation`` section of a config: pseudo-labels in place of masks."""
from typing import Any

from incseg.apis.seam_check import check_keys
from incseg.errors import InvalidInputError
from incseg.protocols.value_rules import SHARE, SWITCH, check_values, or_none

KEYS = {'steps', 'folder', 'threshold', 'uncertain', 'gating'}
STEPS = ('added', 'all')


def check_annotation(config: Any) -> None:
    """Check the section of a config whose other sections were checked.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown or has
            a value that is not allowed.
    """
    section = config['annotation']
    check_keys('annotation', section, KEYS, set())
    if config['method'].get('memory'):
        raise InvalidInputError(
            'annotation and method.memory do not go together: kept images of earlier steps have '
            'no pseudo-labels of this one')
    if section['steps'] not in STEPS:
        raise InvalidInputError(
            f"annotation.steps is {section['steps']!r}, allowed: {', '.join(map(repr, STEPS))}")
    if section['folder'] is not None and not isinstance(section['folder'], str):
        raise InvalidInputError(
            f"annotation.folder is {section['folder']!r}, expected a folder, or None")
    if section['folder'] is None and config.get('seam') is None:
        raise InvalidInputError(
            "annotation.folder is None and the config has no 'seam' to make pseudo-labels: name "
            'their folder, or add one of configs/_base_/seam')
    check_values('annotation', section, dict(
        threshold=or_none(SHARE), uncertain=or_none(SHARE), gating=SWITCH))
