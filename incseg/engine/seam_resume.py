"""Is what stands in a folder of SEAM what would be trained there now?"""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.datasets.weak_dataset import WeakDataset
from incseg.engine.config_hash import digest
from incseg.engine.experiment import Experiment
from incseg.engine.run_config import as_written
from incseg.engine.seam_checkpoint import read_seam_checkpoint
from incseg.engine.seam_negatives import weights_digest
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import flatten, read_settings

#: the key, in the folder's config, of what tells the images and their labels from others
IMAGES = 'training images'
#: the key of what tells the weights that its backbone started from
START = 'start'
#: keys that change with files, where the config stays the same
CONTENT = (IMAGES, 'files', 'negatives')


def images_digest(dataset: WeakDataset) -> str:
    """What tells its images and their labels from others: ids, sizes of files, classes."""
    files = [(name, size) for name, size, _ in dataset.dataset.file_states(
        dataset.indices.tolist())]
    return digest([dataset.dataset.image_ids, files, dataset.image_labels.tolist()])


def check_content(settings: Mapping[str, Any], work_dir: Path) -> None:
    """Refuse a folder of the same config, but of files that are others by now."""
    before, now = read_settings(work_dir), dict(flatten(as_written(settings)))
    changed = {key.partition('.')[0] for key in {*(before or {}), *now} - {START}
               if before is not None and before.get(key) != now.get(key)}
    if changed and changed <= set(CONTENT):
        raise InvalidInputError(
            f'{work_dir}: SEAM was trained there on other {", ".join(sorted(changed))} than there '
            'are now; remove that folder to train it anew, or name another one '
            "(train.py: the config's seam_dir, train_seam.py: --work-dir)")


def started_otherwise(started: str | None, work_dir: Path) -> bool:
    """Whether an interrupted training started from other weights than those now given; says so."""
    before = (read_settings(work_dir) or {}).get(START)
    if before is None or before == started:
        return False
    print(f'note: the interrupted training of SEAM in {work_dir} started from other weights than '
          'those that seam.init_from now stands for; it begins anew', flush=True)
    return True


def notice_other_start(
    path: Path, experiment: Experiment, step0: str | Path | None
) -> None:
    """Say that a finished SEAM started from another step 0 than the one at hand.

    It is used all the same: experiments share it, and step 0 may have been
    trained anew, to weights that differ in the last digits.
    """
    if step0 is None or experiment.config['seam'].get('init_from') != 'step0':
        return
    started = read_seam_checkpoint(path)['meta'].get('init_sha')
    if started is not None and started != weights_digest(step0):
        print(f'note: {path} is used as it is; its backbone started from other weights than '
              f'those in {step0}', flush=True)
