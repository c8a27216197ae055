"""Step 0 is shared by every method and protocol that would train the same one."""
import hashlib
import inspect
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg import __version__
from incseg.engine.checkpoint import read_step_checkpoint, save_atomically
from incseg.engine.experiment import Experiment
from incseg.evaluation.ledger import temporary_name, write_text
from incseg.registry import DATASETS, HOOKS, MODELS, TRANSFORMS

#: parts of a Runner's config that do not shape its result
BYSTANDERS = ('work_dir', 'experiment_name', 'default_hooks', 'log_processor', 'launcher',
              'load_from', 'resume', 'env_cfg')


class BaseSteps:
    """The store of shared base steps, ``work_dirs/_base_steps/<hash>/``.

    The hash is taken over all that shapes the network and its score: model,
    loss, schedule, seed, kind of device and number of processes, the images by
    id, the step's classes, the evaluation and the library's version.

    Args:
        folder: The store's folder.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def place(
        self, experiment: Experiment, step: Config, test: Config, files: list[Any]
    ) -> Path:
        """Where the base step of these configs belongs.

        Args:
            experiment: The experiment.
            step: The Runner's config of step 0.
            test: The Runner's config of its evaluation.
            files: What tells the training and test images apart from others:
                their ids, and the states of their files.
        """
        shape: dict[str, Any] = {
            key: value for key, value in step.to_dict().items() if key not in BYSTANDERS}
        loader = shape.pop('train_dataloader')
        shape['batches'] = loader['batch_sampler']
        shape['pretrained'] = experiment.config['pretrained']
        data = experiment.config['data']
        shape['data'] = {key: data[key] for key in sorted(data)}
        shape['evaluation'] = {
            key: value for key, value in test['test_dataloader']['dataset'].to_dict().items()
            if key != 'protocol'}
        settings = ('data_root', 'crop_size', 'image_scale', 'eval_mode')
        shape['settings'] = {key: experiment.config[key] for key in settings}
        shape['data_root'] = os.path.realpath(experiment.config['data_root'])
        shape['classes'] = experiment.classes_at(0)
        shape['files'] = sorted(files)
        shape['sources'] = foreign_sources(shape)
        shape['torch'] = torch.__version__
        shape['device'] = get_device()
        shape['world_size'] = get_world_size()
        shape['version'] = __version__
        text = json.dumps(shape, sort_keys=True, default=describe)
        return self.folder / hashlib.sha256(text.encode()).hexdigest()[:16]

    @staticmethod
    def load(place: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The shared checkpoint and its metrics; None if there is none, or a damaged one."""
        if not place.is_dir():
            return None
        try:
            metrics = json.loads((place / 'metrics.json').read_text())
            return read_step_checkpoint(place / 'final.pth'), metrics
        except (OSError, ValueError) as error:
            warnings.warn(f'the shared base step {place} is not used: {error}')
            return None

    @staticmethod
    def store(place: Path, checkpoint: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Share a trained and evaluated step 0, whole or not at all.

        It is put together in a folder of its own and renamed.  Where that
        cannot be done there is a warning: the run itself has what it needs.
        """
        private = temporary_name(place)
        try:
            if BaseSteps.load(place) is not None:
                return
            shutil.rmtree(place, ignore_errors=True)
            save_atomically(checkpoint, private / 'final.pth')
            write_text(private / 'metrics.json', json.dumps(metrics, indent=1) + '\n')
            os.rename(private, place)
        except OSError as error:
            shutil.rmtree(private, ignore_errors=True)
            warnings.warn(f'the base step cannot be shared in {place}: {error}')


def describe(value: Any) -> Any:
    """What json does not know: configs as dicts, everything else by its name."""
    return dict(value) if isinstance(value, Mapping) else repr(value)


def foreign_sources(part: Any) -> dict[str, str]:
    """Digest of the file of every registered type that is not the library's own."""
    if isinstance(part, (list, tuple)):
        return {key: value for item in part for key, value in foreign_sources(item).items()}
    if not isinstance(part, Mapping):
        return {}
    found = foreign_sources(list(part.values()))
    name = part.get('type')
    if not isinstance(name, str):
        return found
    for registry in (MODELS, DATASETS, TRANSFORMS, HOOKS):
        made = registry.get(name)
        module = getattr(made, '__module__', '')
        if module and module.partition('.')[0] not in ('incseg', 'mmengine', 'mmcv', 'torch'):
            source = Path(inspect.getfile(made)).read_bytes()
            found[name] = hashlib.sha256(source).hexdigest()
    return found
