"""Checkpoints: written atomically, verified, and read without running code that they hold."""

from incseg.engine.checkpoint.content import check_finite, network_weights, plain
from incseg.engine.checkpoint.fit import (
    IMPORTED,
    check_classes,
    check_first_steps,
    check_protocol,
    is_imported,
    read_experiment_checkpoint,
)
from incseg.engine.checkpoint.migration import migrated
from incseg.engine.checkpoint.model_meta import foreign_types, input_of, model_meta, stored_config
from incseg.engine.checkpoint.step import (
    META,
    StepCheckpoint,
    read_resume_checkpoint,
    read_step_checkpoint,
    weights_fingerprint,
)
from incseg.engine.checkpoint.weights import check_tensors, load_previous, load_weights
from incseg.utils.tensor_files import (
    FORMAT,
    FilePath,
    is_pickle,
    read_checkpoint,
    save_atomically,
    save_checkpoint,
    sealed,
)

__all__ = [
    'FORMAT',
    'IMPORTED',
    'META',
    'FilePath',
    'StepCheckpoint',
    'check_classes',
    'check_finite',
    'check_first_steps',
    'check_protocol',
    'check_tensors',
    'foreign_types',
    'input_of',
    'is_imported',
    'is_pickle',
    'load_previous',
    'load_weights',
    'migrated',
    'model_meta',
    'network_weights',
    'plain',
    'read_checkpoint',
    'read_experiment_checkpoint',
    'read_resume_checkpoint',
    'read_step_checkpoint',
    'save_atomically',
    'save_checkpoint',
    'sealed',
    'stored_config',
    'weights_fingerprint',
]
