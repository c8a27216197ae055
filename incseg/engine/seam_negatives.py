"""What makes a class learnable that every image of its step shows, as the config says."""
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.datasets.negatives import OldNetworkNegatives
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.config_hash import digest
from incseg.engine.experiment import Experiment
from incseg.engine.resolve import resolve
from incseg.registry import DATASETS


def is_old_network_negatives(negatives: Any) -> bool:
    """Whether a config of negatives is of a part that needs the network of the step before."""
    kind = (negatives or {}).get('type')
    found = DATASETS.get(kind) if isinstance(kind, str) else kind
    return isinstance(found, type) and issubclass(found, OldNetworkNegatives)


def negatives_config(experiment: Experiment, step: int) -> dict[str, Any] | None:
    """``seam.negatives`` at a step: without a step before, none that needs its network."""
    seam = resolve(experiment.config.get('seam') or {}, experiment.config)
    negatives = seam.get('negatives')
    return None if step == 0 and is_old_network_negatives(negatives) else negatives


def describe_negatives(experiment: Experiment, step: int) -> dict[str, Any] | None:
    """``seam.negatives`` at a step as files say it: type and options, of a path the last part."""
    negatives = negatives_config(experiment, step)
    return None if negatives is None else without_places(negatives)


def without_places(value: Any) -> Any:
    """Plain data with the last part of each path, the same on every machine."""
    if isinstance(value, Mapping):
        return {key: without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    if isinstance(value, str | Path):
        return Path(value).name
    return value.__name__ if isinstance(value, type) else value


def needs_old_network(experiment: Experiment, step: int) -> bool:
    """Whether SEAM of a step learns from what the network of the step before finds."""
    return is_old_network_negatives(negatives_config(experiment, step))


def negatives_digest(experiment: Experiment, step: int) -> str | None:
    """What tells the images of ``seam.negatives`` from others: their files' names, sizes and times.

    None where these are no files: without negatives, and where they are found
    through the network of the step before.

    Raises:
        MissingFileError: The files are not there.
    """
    negatives = negatives_config(experiment, step)
    if negatives is None or is_old_network_negatives(negatives):
        return None
    states = getattr(DATASETS.build(dict(negatives)), 'file_states', None)
    return None if states is None else digest(states())


def weights_digest(path: str | Path) -> str:
    """What tells the weights of a step's ``final.pth`` from others, whoever saved them.

    Raises:
        MissingFileError, InvalidInputError: It is not there or damaged.
    """
    sha = hashlib.sha256()
    for name, value in sorted(read_step_checkpoint(path)['state_dict'].items()):
        sha.update(name.encode())
        sha.update(value.contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]
