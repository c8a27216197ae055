"""The checkpoint of a step, and that of an interrupted one."""

import os
from pathlib import Path
from typing import Any

import torch

from incseg.engine.checkpoint.migration import migrated
from incseg.errors import InvalidInputError, MissingFileError, UserError
from incseg.utils.content_digest import tensors_digest
from incseg.utils.files import read_json
from incseg.utils.rules import Rule, checked
from incseg.utils.tensor_files import FilePath, check_kind, read_checkpoint

#: keys and types that the ``meta`` of a step's checkpoint has at least
META = dict(incseg_version=str, method=str, protocol=dict, step=int, classes=list, palette=list)

#: what two of them hold
CONTENTS: dict[str, Rule] = {
    'classes': (lambda names: all(isinstance(name, str) for name in names), 'a list of names'),
    'palette': (
        lambda palette: all(
            isinstance(colour, list | tuple)
            and len(colour) == 3
            and all(isinstance(value, int) and 0 <= value <= 255 for value in colour)
            for colour in palette
        ),
        'a list of colours [red, green, blue], 0 to 255',
    ),
}


def read_step_checkpoint(path: FilePath) -> dict[str, Any]:
    """Load a ``step_<k>/final.pth``, ``{state_dict, meta}``, and check its kind and keys.

    SEAM's ``seam.pth`` has the same keys and is read too.

    Returns:
        The content, of the newest format.

    Raises:
        MissingFileError, InvalidInputError: The file is missing, damaged, of a newer format or
            another kind, or lacks a key.
    """
    content = read_checkpoint(path)
    check_kind(content, path, ('step', 'seam'))
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    for key, rule in CONTENTS.items():
        if isinstance(meta.get(key), META[key]):
            checked(f'checkpoint {path}: meta.{key}', meta[key], rule)
    missing = [f'meta.{key}' for key, kind in META.items() if not isinstance(meta.get(key), kind)]
    if not isinstance(content.get('state_dict'), dict):
        missing.insert(0, 'state_dict')
    if missing:
        raise InvalidInputError(
            f"checkpoint {path} is not a step's final.pth: it lacks {missing[0]}"
        )
    return migrated(content, path)


def read_resume_checkpoint(path: FilePath, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load a ``resume.pth``, from which an interrupted training goes on.

    Raises:
        MissingFileError, InvalidInputError: The file is missing, damaged, of a newer format, or
            another file, such as a final.pth.
    """
    content = read_checkpoint(path, map_location)
    check_kind(content, path, ('resume',))
    for key in ('state_dict', 'meta', 'optimizer', 'param_schedulers', 'message_hub'):
        if key not in content:
            raise InvalidInputError(f'checkpoint {path} is not a resume.pth: it lacks {key}')
    return content


def removed_by_keep(path: Path) -> bool:
    """Say whether the run removed this ``step_<k>/final.pth`` on purpose (``schedule.keep``)."""
    try:
        ledger = read_json(path.absolute().parent.parent / 'results.json')
        entries = {f'step_{entry["step"]}': entry for entry in ledger['steps']}
        return entries[path.absolute().parent.name].get('kept') is False
    except (UserError, LookupError, TypeError, AttributeError):
        return False


class StepCheckpoint(os.PathLike):
    """A step's ``final.pth``, read when its content is first asked for, and only once.

    The object can be passed wherever a path is expected, and prints as its path.

    Args:
        path: The file.

    Raises:
        MissingFileError, InvalidInputError: From all attributes but ``path``, where the file is
            missing, damaged or no step's checkpoint.
    """

    def __init__(self, path: FilePath):
        self.path = Path(path)
        self._content: dict[str, Any] | None = None
        self._meta: dict[str, Any] | None = None
        self._digest: str | None = None

    @classmethod
    def of(cls, checkpoint: FilePath) -> 'StepCheckpoint':
        """Return the argument if it is a :class:`StepCheckpoint`, else one for the path."""
        return checkpoint if isinstance(checkpoint, cls) else cls(checkpoint)

    @property
    def content(self) -> dict[str, Any]:
        """The whole content; its tensors are shared and are not to be written to.

        Raises:
            MissingFileError, InvalidInputError: The file is missing, damaged or no step's.
        """
        if self._content is None:
            if not self.path.is_file() and removed_by_keep(self.path):
                raise MissingFileError(f'{self.path} is missing: schedule.keep removed it')
            self._content = read_step_checkpoint(self.path)
            self._meta = self._content['meta']
        return self._content

    @property
    def state_dict(self) -> dict[str, torch.Tensor]:
        """The weights of the network, by name, on the CPU."""
        weights: dict[str, torch.Tensor] = self.content['state_dict']
        return weights

    @property
    def meta(self) -> dict[str, Any]:
        """What the file says of its network: a dict with at least the keys of :data:`META`."""
        return self.content['meta'] if self._meta is None else self._meta

    @property
    def method_state(self) -> dict[str, Any]:
        """What the method's hooks stored for the next step, by hook."""
        states: dict[str, Any] = self.content.get('method_state', {})
        return states

    @property
    def digest(self) -> str:
        """The first 16 digits of :attr:`tensors`."""
        if self._digest is None:
            self._digest = self.tensors[:16]
        return self._digest

    @property
    def tensors(self) -> str:
        """The digest of names, dtypes, shapes and bytes of the weights, 64 hexadecimal digits."""
        known = self.meta.get('tensors')
        return tensors_digest(self.state_dict) if known is None else str(known)

    @property
    def config(self) -> dict[str, Any] | None:
        """The complete config of the training as it was written; None in files of incseg 0.1."""
        stored: dict[str, Any] | None = self.meta.get('config')
        return stored

    @property
    def outputs_per_step(self) -> list[int]:
        """Outputs of the classifier of each step; the first includes the background.

        A file that incseg 0.1 wrote lacks them; then they follow from its protocol.
        """
        meta = self.meta
        if 'outputs_per_step' in meta:
            return list(meta['outputs_per_step'])
        added = [len(classes) for classes in meta['protocol']['steps'][1 : meta['step'] + 1]]
        return [len(meta['classes']) - sum(added), *added]

    def adapted_to(self, network: Any) -> dict[str, torch.Tensor]:
        """Return the weights by name, changed by the next network's ``adapt_previous``."""
        adapt = getattr(network, 'adapt_previous', dict)  # any module will do
        return adapt(dict(self.state_dict))

    def release(self) -> None:
        """Let go of all tensors; ``meta`` and a ``digest`` that was asked for stay."""
        self._content = None

    def __fspath__(self) -> str:
        return str(self.path)

    __str__ = __fspath__

    def __repr__(self) -> str:
        return f'{type(self).__name__}({str(self)!r})'


def weights_fingerprint(checkpoint: FilePath) -> str:
    """Return the :attr:`StepCheckpoint.digest` of a checkpoint or of the file at a path."""
    return StepCheckpoint.of(checkpoint).digest
