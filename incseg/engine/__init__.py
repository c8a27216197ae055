from typing import Any

from incseg.engine.evaluate import evaluate, evaluate_checkpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.train_protocol import train_protocol
from incseg.engine.weak import *  # noqa: F403
from incseg.renamed import renamed_name

__all__ = ['Experiment', 'evaluate', 'evaluate_checkpoint', 'train_protocol']


def __getattr__(name: str) -> Any:
    if name == 'test_step':
        return renamed_name(f'{__name__}.{name}', 'evaluate_checkpoint', evaluate_checkpoint)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
