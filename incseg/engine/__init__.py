from incseg.engine.evaluate import evaluate
from incseg.engine.experiment import Experiment
from incseg.engine.seam_training import train_seam
from incseg.engine.test_step import test_step
from incseg.engine.train_protocol import train_protocol

__all__ = ['Experiment', 'evaluate', 'test_step', 'train_protocol', 'train_seam']
