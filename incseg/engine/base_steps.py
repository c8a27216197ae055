"""Base steps, shared by all methods and protocols that would train the same step 0."""

import os
import shutil
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from incseg.engine.checkpoint import read_step_checkpoint, save_checkpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import config_hash, named_files
from incseg.engine.recipe.names import names_in
from incseg.engine.work_dir import read_metrics
from incseg.evaluation.run_settings import is_free
from incseg.models.convolutions import AUTO
from incseg.utils.files import remove_leftovers, temporary_name, write_json
from incseg.utils.locks import exclusive_folder

#: parts of a Runner's config that do not shape its result
BYSTANDERS = (
    'work_dir',
    'experiment_name',
    'default_hooks',
    'log_processor',
    'launcher',
    'load_from',
    'resume',
    'env_cfg',
)


class BaseSteps:
    """The trained networks of step 0 that runs share, in ``work_dirs/_base_steps/<hash>/``.

    Making the object removes what killed runs left half written in the folder.

    The hash covers everything that shapes the network and its score: model, loss,
    schedule, seed, rounding, kind of device, number of processes, the ids of the
    images, the classes of the step, the evaluation and the version of the library.

    Args:
        folder: The folder of the store.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if is_main_process():
            remove_leftovers(self.folder)

    def place(
        self,
        experiment: Experiment,
        step: Config,
        test: Config,
        data: str,
        labels: Any = None,
    ) -> Path:
        """Return the folder of the base step of these configs.

        Args:
            experiment: The experiment.
            step: The Runner's config of step 0.
            test: The Runner's config of its evaluation.
            data: Fingerprint of the training and test images and their masks.
            labels: Plain data that differs between labels (:meth:`StepLabels.identity`); None
                for masks.
        """
        shape: dict[str, Any] = {
            key: value for key, value in step.to_dict().items() if key not in BYSTANDERS
        }
        loader = shape.pop('train_dataloader')
        if experiment.channels_last is not None:  # a trial's choice: its runs share the base step
            shape['model'] = dict(shape['model'], channels_last=AUTO)
        shape['batches'] = loader['batch_sampler']
        shape['pretrained'] = experiment.config['pretrained']
        if files := named_files(shape['pretrained']):
            shape['weights'] = files
        if step.optim_wrapper.amp:  # base steps of earlier versions had them in bfloat16
            shape['classifiers'] = 'float32'
        shape['tf32'] = experiment.tf32
        if experiment.deterministic:
            shape['deterministic'] = True
        raw = experiment.raw_config
        shape['data'] = {key: raw['data'][key] for key in sorted(raw['data'])}
        shape['evaluation'] = {
            key: value
            for key, value in test['test_dataloader']['dataset'].to_dict().items()
            if key != 'protocol'
        }
        settings = {'data_root', 'crop_size', 'image_scale', 'eval_mode'}
        others = {name for name in names_in(raw['data'], raw) if not is_free(name)}
        shape['settings'] = {key: experiment.config[key] for key in sorted(settings | others)}
        if tested := experiment.config.get('test_cfg'):
            shape['test_cfg'] = dict(tested)
        shape['data_root'] = os.path.realpath(experiment.config['data_root'])
        shape['classes'] = experiment.classes_at(0)
        shape['files'] = data
        if (sources := experiment.sources.identity()) is not None:
            shape['sources'] = sources
        if labels is not None:
            shape['labels'] = labels
        return self.folder / config_hash(shape)

    @staticmethod
    def one_training(place: Path | None) -> AbstractContextManager[None]:
        """Let one run at a time train a base step, as a context; other runs wait to enter it.

        A run that has waited finds the base step in the store.

        Args:
            place: The folder, from :meth:`place`; None for a step that is not shared.
        """
        if place is None:
            return nullcontext()
        return exclusive_folder(place.with_name(f'.{place.name}.training'), tidy=True)

    @staticmethod
    def load(place: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the content of a shared ``final.pth`` and its scores.

        Args:
            place: The folder, from :meth:`place`.

        Returns:
            ``{state_dict, meta, …}`` and the dict of :func:`read_metrics`; None if a file is
            missing or damaged.
        """
        if not place.is_dir():
            return None
        try:
            return read_step_checkpoint(place / 'final.pth'), read_metrics(place / 'metrics.json')
        except (OSError, ValueError) as error:
            warnings.warn(f'the shared base step {place} is not used: {error}')
            return None

    @staticmethod
    def store(place: Path, checkpoint: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Share a trained and evaluated step 0, completely or not at all.

        A failure is only a warning: the run has its own files.

        Args:
            place: The folder, from :meth:`place`.
            checkpoint: The content of the step's ``final.pth``.
            metrics: The scores, as :func:`evaluate` returns them.
        """
        private = temporary_name(place)
        try:
            if BaseSteps.load(place) is not None:
                return
            shutil.rmtree(place, ignore_errors=True)
            save_checkpoint(checkpoint, private / 'final.pth', 'step')
            write_json(private / 'metrics.json', metrics)
            os.rename(private, place)
        except OSError as error:
            shutil.rmtree(private, ignore_errors=True)
            if BaseSteps.load(place) is None:  # else another run was faster
                warnings.warn(f'the base step cannot be shared in {place}: {error}')
