"""From a folder to a config that trains on it: what ``incseg init`` does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from incseg.apis.config.loading import load_config
from incseg.apis.folder.config import choose, config_text
from incseg.apis.folder.look import look_at
from incseg.apis.folder.report import FolderReport
from incseg.errors import UserError
from incseg.utils.files import write_atomically
from incseg.utils.outputs import check_outputs
from incseg.utils.rules import expected


def init_folder(
    root: str | Path,
    out: str | Path | None = None,
    *,
    classes: str | Path | None = None,
    images: str = 'auto',
    masks: str = 'auto',
    protocol: str | None = None,
    network: str | None = None,
    method: str = 'mib',
    force: bool = False,
    tell: Callable[[str], Any] = print,
) -> tuple[FolderReport, Path]:
    """Look at a folder of images and masks, tell what is in it, and write a config for it.

    Args:
        root: The folder.
        out: The config; None for the folder's name with ``.py`` in the current folder.
        classes: File that names the classes; None looks for one in the folder.
        images, masks: See :class:`FolderDataset`.
        protocol: Such as ``'2-1'``; None for about two thirds of the classes, then the rest.
        network, method: Names of bases of models and methods; None for the network whose
            weights are on this machine.
        force: Whether a config that is there is written over.
        tell: Called with each line for the user.

    Returns:
        The report, and the config's path.

    Raises:
        UserError: See :func:`look_at` and :func:`choose`; or the config is there already.
    """
    name = Path(root).resolve().name or 'folder'
    path = Path(f'{name}.py' if out is None else out)
    if path.suffix != '.py':
        raise expected('--out', str(path), 'a .py file')
    check_outputs([path], force=force)
    report = look_at(root, images, masks, classes)
    for line in report.lines():
        tell(line)
    choices = choose(report, protocol, network, method)
    before = path.read_text(encoding='utf-8') if path.exists() else None
    write_atomically(path, config_text(report, choices))
    try:
        load_config(path)
    except UserError:
        path.unlink() if before is None else write_atomically(path, before)
        raise
    weights = 'with ImageNet weights' if choices.pretrained else 'without ImageNet weights'
    tell(f'config   {path}: {choices.network} {weights}, {choices.method}, {choices.protocol}')
    tell(f'next     incseg train {path}')
    return report, path
