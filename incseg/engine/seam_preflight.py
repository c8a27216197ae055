"""What would stop SEAM or its labels hours later, looked at before the first step is trained."""
from pathlib import Path

from incseg.datasets import LoadImage
from incseg.datasets.weak_dataset import WeakDataset
from incseg.engine.cam_inference import scaled_size
from incseg.engine.experiment import Experiment
from incseg.engine.hooks.start_backbone_hook import load_backbone
from incseg.engine.seam_config import seam_model_config
from incseg.engine.seam_settings import SeamSettings
from incseg.engine.seam_training import start_of_backbone
from incseg.errors import MissingFileError
from incseg.registry import MODELS


def check_labelling(experiment: Experiment, dataset: WeakDataset) -> None:
    """The refinement can be built, its files included, and every scale leaves something of images.

    Sizes of images are not known before they are read: the first one stands for all.

    Raises:
        MissingFileError, InvalidInputError: What stands in the way.
    """
    settings = SeamSettings.of(experiment.config)
    MODELS.build(settings.refine)
    image = LoadImage().transform(dataset.dataset.get_data_info(int(dataset.indices[0])))['img']
    for scale in settings.inference['scales']:
        scaled_size(image.shape[:2], scale * experiment.config['image_scale'])


def check_start(experiment: Experiment) -> None:
    """The files that SEAM starts from are there, and a network that it starts from fits.

    Raises:
        MissingFileError: One is not there.
        InvalidInputError: The network has another backbone.
    """
    if experiment.config['seam'].get('init_from') != 'step0':  # else it is made by this training
        start = start_of_backbone(experiment, None)
        if start is not None:
            load_backbone(MODELS.build(seam_model_config(experiment, 1)).backbone, start)
    backbone = seam_model_config(experiment, 1, init=True).get('backbone') or {}
    weights = backbone.get('weights')
    if backbone.get('pretrained') and isinstance(weights, str) and not Path(weights).is_file():
        raise MissingFileError(f'seam.model.backbone.weights: no file at {weights}')
