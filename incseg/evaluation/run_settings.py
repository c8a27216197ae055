"""The config that a work dir stores with its results, as dotted keys."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from incseg.utils.files import read_json
from incseg.utils.rules import expected

CONFIG_FILE = 'config.json'
#: the key of the fingerprints of the steps' image-level labels
LABELS = 'image_labels'
#: likewise of the images and masks, and of the network that a step began from
DATA = 'data_fingerprints'
STARTS = 'previous_networks'
#: in STARTS: the step whose network was given, if it is not 0 (whose digest is recorded there)
GIVEN = 'given'
#: the layout that a trial chose, see incseg.engine.memory_layout
LAYOUT = 'memory_layout'
#: the key of a network that was chosen in the place of the config's own (``--model``)
MODEL_BASE = 'model_base'
#: settings, besides roots of data, that shape no result: they may change between an interruption
#: and the resumption, and two runs that differ in them are comparable
FREE = (
    'filename',
    'num_workers',
    'base_steps_dir',
    'seam_dir',
    'schedule.log_interval',
    'schedule.checkpoint_interval',
    'schedule.pin_memory',
    'schedule.keep',
    'seam.schedule.log_interval',
    'seam.schedule.checkpoint_interval',
    LABELS,
    DATA,
    STARTS,
    LAYOUT,
)


def read_settings(work_dir: Path) -> dict[str, Any] | None:
    """Read the config that a work dir stores, by dotted key; None if there is none.

    Raises:
        InvalidInputError: The file cannot be read or is damaged.
    """
    content = read_run_config(work_dir)
    return None if content is None else dict(flatten(content))


def read_run_config(work_dir: Path) -> dict[str, Any] | None:
    """Read ``config.json`` of a work dir, as the nested dicts that were written.

    Args:
        work_dir: The folder.

    Returns:
        The config, with the fingerprints under ``LABELS``, ``DATA`` and ``STARTS``; None if the
        folder or the file does not exist.

    Raises:
        InvalidInputError: The file cannot be read, is damaged or was edited.
    """
    path = work_dir / CONFIG_FILE
    if not path.is_file():
        return None
    content = read_json(path, 'a config')
    if not content:
        raise expected(f'{path}', content, 'the config of a run')
    return content


def model_title(config: Mapping[str, Any]) -> str | None:
    """Return the name of the network that was chosen for a config; None for the config's own.

    Args:
        config: A config; ``model_base`` is a name, or the path of a base.
    """
    name = config.get(MODEL_BASE)
    return None if name is None else Path(str(name)).stem


def row_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that all seeds of a row of a comparison share.

    Args:
        settings: A run's config by dotted key; it is not changed.

    Returns:
        The same without the seed, the protocol and the settings that shape no result.
    """
    return {
        key: value
        for key, value in settings.items()
        if not is_free(key) and key != 'seed' and not key.startswith('protocol.')
    }


def is_free(key: str) -> bool:
    """Say whether a dotted key does not shape the results: a root of data, or one of ``FREE``."""
    return is_root(key) or any(key == name or key.startswith(f'{name}.') for name in FREE)


def is_root(key: str) -> bool:
    """Say whether a key is a folder of data: a top-level one that ends in ``_root``."""
    return key.endswith('_root') and '.' not in key


def flatten(value: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each leaf of nested dicts.

    Args:
        value: Nested dicts; an empty dict is a leaf, and so is a list.
        prefix: Dotted key of ``value`` itself.
    """
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f'{prefix}.{key}' if prefix else str(key))
    else:
        yield prefix, value
