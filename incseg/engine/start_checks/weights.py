"""A file of pretrained weights is tried before the data sets are read."""

import torch

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config
from incseg.registry import MODELS


def check_weights(experiment: Experiment) -> None:
    """Refuse a file of pretrained weights that is missing, or of another network.

    The network of step 0 is built and loads them; no random number of the run is used up.

    Args:
        experiment: The experiment; ``pretrained=True`` and False are not looked at.

    Raises:
        UserError: Naming the file, and the tensors that do not fit.
    """
    if not isinstance(experiment.config['pretrained'], str):
        return
    with torch.random.fork_rng(devices=[]):
        MODELS.build(model_config(experiment, 0, init=True)).init_weights()
