"""Checkpoints: written atomically, and read without running code that they hold."""

import hashlib
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from incseg.engine.recipe.experiment import Experiment
from incseg.errors import InvalidInputError, MissingFileError, NonFiniteLossError, SaveError
from incseg.utils.files import whole_file

FilePath = str | os.PathLike[str]

#: keys and types that the ``meta`` of a step's checkpoint has at least
META = dict(incseg_version=str, method=str, protocol=dict, step=int, classes=list, palette=list)


def network_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the ``state_dict`` without the weights of a target labeller."""
    weights = model.state_dict()
    return {name: weights[name] for name in weights if not name.startswith('target_labeller.')}


def save_atomically(content: Any, path: FilePath) -> None:
    """Write with ``torch.save`` to a temporary name, then rename.

    Raises:
        SaveError: The file cannot be written, for instance because the disk is full.  An
            earlier file at ``path`` is then intact.
    """
    path = Path(path)
    try:
        with whole_file(path) as temporary, open(temporary, 'wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as failure:  # torch's writer raises RuntimeError on a full disk
        error = failure.__cause__ or failure
        state = 'the file that stood there is intact' if path.exists() else 'nothing was left there'
        reason = getattr(error, 'strerror', None) or str(error).splitlines()[0]
        raise SaveError(f'cannot save {path}: {reason}; {state}') from error


def plain(value: Any) -> Any:
    """Return a copy in dicts, lists, built-in numbers, and tensors on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, 'item'):  # a numpy scalar
        return value.item()
    return value


def check_finite(state_dict: dict[str, torch.Tensor], where: str) -> None:
    """Refuse weights that are NaN or infinite.

    Raises:
        NonFiniteLossError: Naming the first, and ``where``, such as "at the end of step 3".
    """
    broken = [name for name, value in state_dict.items() if not bool(value.isfinite().all())]
    if broken:
        raise NonFiniteLossError(f'{broken[0]} is not finite {where}')


def read_checkpoint(path: FilePath) -> dict[str, Any]:
    """Load a file with ``weights_only=True``, tensors on the CPU.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is empty, cut short, or a pickle that would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'no checkpoint at {path}')
    if path.stat().st_size == 0:
        raise InvalidInputError(f'checkpoint {path} is empty')
    unreadable = InvalidInputError(f'checkpoint {path} is damaged, cut short or no checkpoint')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if not is_pickle(path):
            raise unreadable from error
        raise InvalidInputError(
            f'checkpoint {path} holds more than tensors and plain data; loading it could run '
            'code, so it is refused'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise unreadable from error
    if not isinstance(content, dict):
        raise InvalidInputError(f'checkpoint {path} holds a {type(content).__name__}, not a dict')
    return content


def is_pickle(path: Path) -> bool:
    """Return whether a file is complete enough to hold a pickle, in torch's zip or bare."""
    with open(path, 'rb') as file:
        return file.read(1) == b'\x80' or zipfile.is_zipfile(file)


def read_step_checkpoint(path: FilePath) -> dict[str, Any]:
    """Load a ``step_<k>/final.pth``, ``{state_dict, meta}``, and check its keys.

    Raises:
        MissingFileError, InvalidInputError: As :func:`read_checkpoint`, and if a key is missing.
    """
    content = read_checkpoint(path)
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    missing = [f'meta.{key}' for key, kind in META.items() if not isinstance(meta.get(key), kind)]
    if not isinstance(content.get('state_dict'), dict):
        missing.insert(0, 'state_dict')
    if missing:
        raise InvalidInputError(
            f"checkpoint {path} is not a step's final.pth: it lacks {missing[0]}"
        )
    return content


class StepCheckpoint(os.PathLike):
    """A step's ``final.pth``, read when its content is first asked for, and only once.

    It stands for its path in messages and where a path is expected.

    Args:
        path: The file.

    Raises:
        MissingFileError, InvalidInputError: From all attributes but ``path``, as
            :func:`read_step_checkpoint`.
    """

    def __init__(self, path: FilePath):
        self.path = Path(path)
        self._content: dict[str, Any] | None = None
        self._meta: dict[str, Any] | None = None
        self._digest: str | None = None

    @classmethod
    def of(cls, checkpoint: FilePath) -> 'StepCheckpoint':
        """Return a checkpoint as it is, or that of a path."""
        return checkpoint if isinstance(checkpoint, cls) else cls(checkpoint)

    @property
    def content(self) -> dict[str, Any]:
        """The whole content; its tensors are shared and are not to be written to."""
        if self._content is None:
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
        """The file's ``meta``; it has at least the keys of :data:`META`."""
        return self.content['meta'] if self._meta is None else self._meta

    @property
    def method_state(self) -> dict[str, Any]:
        """The states that the method's hooks left to the next step, by hook."""
        states: dict[str, Any] = self.content.get('method_state', {})
        return states

    @property
    def digest(self) -> str:
        """16 hexadecimal digits, different for different weights."""
        if self._digest is None:
            sha = hashlib.sha256()
            for name, value in sorted(self.state_dict.items()):
                sha.update(name.encode())
                sha.update(value.contiguous().numpy().tobytes())
            self._digest = sha.hexdigest()[:16]
        return self._digest

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
        """Return the weights as they enter the network of the next step (``adapt_previous``)."""
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


def check_protocol(meta: dict[str, Any], protocol: dict[str, Any], path: FilePath) -> None:
    """Refuse a checkpoint of another protocol, class order or setting.

    Args:
        meta: The checkpoint's ``meta``.
        protocol: The ledger's description of the config's protocol.
        path: The checkpoint, for the message.
    """
    for key in ('dataset', 'name', 'setting', 'classes', 'steps'):
        theirs, ours = meta['protocol'].get(key), protocol[key]
        if theirs != ours:
            raise InvalidInputError(
                f'checkpoint {path} is of another protocol: its {key} is {theirs}, '
                f"the config's is {ours}"
            )


def load_weights(model: nn.Module, state_dict: dict[str, Any], path: FilePath) -> None:
    """Load exactly the weights that a network has.

    Raises:
        InvalidInputError: A name or shape differs; names the first.
    """
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    theirs = {name: value.shape for name, value in state_dict.items()}
    wrong = [name for name in {**shapes, **theirs} if shapes.get(name) != theirs.get(name)]
    if wrong:
        raise InvalidInputError(
            f'checkpoint {path} does not fit the network of the config: {wrong[0]}'
            + (f' and {len(wrong) - 1} more' if len(wrong) > 1 else '')
        )
    model.load_state_dict(state_dict)


def load_previous(model: nn.Module, state_dict: dict[str, Any], path: FilePath) -> None:
    """Copy the network of the previous step into that of a step, in place.

    The network says how the weights enter it (``adapt_previous``) and which of its own are new
    (``new_parameter_names``); a labeller that is trained too starts anew.

    Raises:
        InvalidInputError: A name or shape does not fit, or a weight that is not new is missing.
    """
    network: Any = model
    state = network.adapt_previous(dict(state_dict))
    own, new = network_weights(model), set(network.new_parameter_names())
    wrong = [name for name in state if name not in own or own[name].shape != state[name].shape]
    wrong += [name for name in own if name not in state and name not in new]
    if wrong:
        why = 'missing' if wrong[0] not in state else 'unknown or of another shape'
        raise InvalidInputError(
            f'checkpoint {path} of the previous step does not fit the network: {wrong[0]} is {why}'
        )
    model.load_state_dict(state, strict=False)


def read_experiment_checkpoint(
    experiment: Experiment, path: FilePath
) -> tuple[dict[str, Any], int]:
    """Read a step's checkpoint, and check that it fits the experiment.

    Returns:
        Its content and its step.

    Raises:
        MissingFileError, InvalidInputError: If it is not there, damaged, of
            another protocol, or has other classes than the config's network.
    """
    checkpoint = StepCheckpoint.of(path).content
    meta, step = checkpoint['meta'], checkpoint['meta']['step']
    check_protocol(meta, experiment.describe_protocol(step), path)
    experiment.check_step(step, f'checkpoint {path}: step')
    expected = experiment.classes_at(step)
    if meta['classes'] != expected:
        raise InvalidInputError(
            f'checkpoint {path} (method {meta["method"]}, step {step}) has '
            f'{len(meta["classes"])} classes, the network of the config {len(expected)}'
        )
    return checkpoint, step
