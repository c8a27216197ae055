"""A user's own names of tensors: the file of ``--key-map``."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.importers.network import apply_rules
from incseg.utils.rules import expected, unknown_key

FORM = '{"names": {…}, "prefixes": {…}, "patterns": {…}, "drop": […]}'
PARTS = ('names', 'prefixes', 'patterns', 'drop')


class KeyMap:
    """New names of tensors: the whole name, its beginning, or a regular expression.

    A whole name (``names``) goes before a pattern (``patterns``, the first that matches the
    beginning of the name), a pattern before a beginning (``prefixes``, the longest).  Each tensor
    is renamed once.

    Args:
        path: A JSON file, an object with the keys ``names``, ``prefixes`` and ``patterns``
            (objects of old and new text) and ``drop`` (beginnings of the names of tensors that
            are left out), all optional.

    Raises:
        MissingFileError, InvalidInputError: It is missing, no JSON, or not of this form.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise MissingFileError(f'no key map at {path}')
        try:
            content = json.loads(self.path.read_text())
        except ValueError as error:
            raise InvalidInputError(f'key map {path} cannot be read: {error}') from error
        if not isinstance(content, dict):
            raise expected(f'key map {path}', content, FORM)
        for key in content:
            if key not in PARTS:
                raise unknown_key(key, f'key map {path}', PARTS)
        for part in PARTS[:3]:
            _check_texts(f'key map {path}: {part}', content.get(part, {}))
        self.drop = content.get('drop', [])
        if not isinstance(self.drop, list) or not all(isinstance(each, str) for each in self.drop):
            raise expected(f'key map {path}: drop', self.drop, 'a list of beginnings of names')
        self.names: dict[str, str] = content.get('names', {})
        prefixes = sorted(content.get('prefixes', {}).items(), key=lambda item: -len(item[0]))
        self.rules = [
            *content.get('patterns', {}).items(),
            *((re.escape(old), new.replace('\\', r'\\')) for old, new in prefixes),
        ]
        self._check_patterns(content.get('patterns', {}))

    def _check_patterns(self, patterns: Mapping[str, str]) -> None:
        for old, new in patterns.items():
            try:
                re.compile(f'(?:{old})|').sub(new, '')
            except (re.error, IndexError) as error:
                raise InvalidInputError(
                    f'key map {self.path}: the pattern {old!r} with {new!r} is no regular '
                    f'expression: {error}'
                ) from error

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a state dict under its new names.

        Args:
            state: Tensors by the names of the file.

        Raises:
            InvalidInputError: Two tensors get one name, or an entry of ``names`` is not there.
        """
        missing = [name for name in self.names if name not in state]
        if missing:
            raise InvalidInputError(f'key map {self.path}: the file has no tensor {missing[0]!r}')
        named: dict[str, Tensor] = {}
        origin: dict[str, str] = {}
        for name, value in state.items():
            if name not in self.names and name.startswith(tuple(self.drop)):
                continue
            new = self.names.get(name) or apply_rules(name, self.rules)
            if new in named:
                raise InvalidInputError(
                    f'key map {self.path}: {origin[new]!r} and {name!r} both become {new!r}'
                )
            named[new], origin[new] = value, name
        return named


def _check_texts(key: str, value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise expected(key, value, 'an object of old and new text')
