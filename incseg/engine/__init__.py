from incseg.engine.evaluate import evaluate, test_step
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.train_protocol import train_protocol
from incseg.engine.weak.seam_training import train_seam

__all__ = ['Experiment', 'evaluate', 'test_step', 'train_protocol', 'train_seam']
