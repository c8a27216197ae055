"""Checkpoints: written whole or not at all, read without trusting them."""

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

#: what a step's meta holds; more may be there
META = dict(incseg_version=str, method=str, protocol=dict, step=int, classes=list, palette=list)


#: how the names of what trains beside the network begin
BESIDE = 'target_labeller.'


def network_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of the network alone, without a labeller's that is trained beside it."""
    return {
        name: value for name, value in model.state_dict().items() if not name.startswith(BESIDE)
    }


def save_atomically(content: Any, path: str | Path) -> None:
    """``torch.save`` to a temporary name, then rename.

    Raises:
        SaveError: If it cannot be written (a full disk, say); a file that
            stood at ``path`` is then intact.
    """
    path = Path(path)
    try:
        with whole_file(path) as temporary, open(temporary, 'wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as failure:  # torch's writer raises RuntimeError on a full disk
        error = failure.__cause__ or failure
        kept = 'the file that stood there is intact' if path.exists() else 'nothing was left there'
        reason = getattr(error, 'strerror', None) or str(error).splitlines()[0]
        raise SaveError(f'cannot save {path}: {reason}; {kept}') from error


def plain(value: Any) -> Any:
    """Dicts, lists and numbers of the built-in types, tensors on the CPU."""
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
        NonFiniteLossError: Naming the first, and ``where``: "at the end of step 3".
    """
    broken = [name for name, value in state_dict.items() if not bool(value.isfinite().all())]
    if broken:
        raise NonFiniteLossError(f'{broken[0]} is not finite {where}')


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a file with ``weights_only=True`` on the CPU.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If it is empty, cut short, or a pickle that would
            run code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'no checkpoint at {path}')
    if path.stat().st_size == 0:
        raise InvalidInputError(f'checkpoint {path} is empty')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if not is_pickle(path):
            raise unreadable(path) from error
        raise InvalidInputError(
            f'checkpoint {path} holds more than tensors and plain data; loading it could run '
            'code, so it is refused'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise unreadable(path) from error
    if not isinstance(content, dict):
        raise InvalidInputError(f'checkpoint {path} holds a {type(content).__name__}, not a dict')
    return content


def unreadable(path: Path) -> InvalidInputError:
    return InvalidInputError(f'checkpoint {path} is damaged, cut short or no checkpoint')


def is_pickle(path: Path) -> bool:
    """Whether a file is whole enough to hold a pickle: torch's zip, or a bare one."""
    with open(path, 'rb') as file:
        return file.read(1) == b'\x80' or zipfile.is_zipfile(file)


def read_step_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a ``step_<k>/final.pth``: ``{state_dict, meta}``, all keys there.

    Raises:
        MissingFileError, InvalidInputError: As :func:`read_checkpoint`, and
            if it is not a step's checkpoint.
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


def weights_fingerprint(path: str | Path) -> str:
    """Return 16 hexadecimal digits that differ between the weights of two checkpoints.

    Raises:
        MissingFileError, InvalidInputError: As :func:`read_step_checkpoint`.
    """
    sha = hashlib.sha256()
    for name, value in sorted(read_step_checkpoint(path)['state_dict'].items()):
        sha.update(name.encode())
        sha.update(value.contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


def check_protocol(meta: dict[str, Any], protocol: dict[str, Any], path: str | Path) -> None:
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


def load_weights(model: nn.Module, state_dict: dict[str, Any], path: str | Path) -> None:
    """Load every weight of a network, no more and no less.

    Raises:
        InvalidInputError: If names or shapes do not fit, naming the first.
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


def load_previous(model: nn.Module, state_dict: dict[str, Any], path: str | Path) -> None:
    """Copy step ``k-1`` into the network of step ``k``, in place.

    Everything but the newest classifiers must be there; what trains beside the
    network starts anew.
    """
    own = network_weights(model)
    wrong = [
        name for name in state_dict if name not in own or own[name].shape != state_dict[name].shape
    ]
    last = f'.steps.{len(model.decode_head.classifier.steps) - 1}.'  # type: ignore
    wrong += [name for name in own if name not in state_dict and last not in name]
    if wrong:
        raise InvalidInputError(
            f'checkpoint {path} of the previous step does not fit the network: {wrong[0]}'
        )
    model.load_state_dict(state_dict, strict=False)


def read_experiment_checkpoint(
    experiment: Experiment, path: str | Path
) -> tuple[dict[str, Any], int]:
    """A step's checkpoint and its step, once it fits the experiment.

    Raises:
        MissingFileError, InvalidInputError: If it is not there, damaged, of
            another protocol, or has other classes than the config's network.
    """
    checkpoint = read_step_checkpoint(path)
    meta = checkpoint['meta']
    check_protocol(meta, experiment.describe_protocol(), path)
    experiment.check_step(meta['step'], f'checkpoint {path}: step')
    expected = experiment.classes_at(meta['step'])
    if meta['classes'] != expected:
        raise InvalidInputError(
            f'checkpoint {path} (method {meta["method"]}, step {meta["step"]}) has '
            f'{len(meta["classes"])} classes, the network of the config {len(expected)}'
        )
    return checkpoint, meta['step']
