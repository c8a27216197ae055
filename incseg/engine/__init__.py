from incseg.engine.evaluate import evaluate, test_step
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.train_protocol import train_protocol
from incseg.engine.weak import *  # noqa: F403

__all__ = ['Experiment', 'evaluate', 'test_step', 'train_protocol']
