"""A run's work dir: its files of earlier runs, and what the run was begun with."""

from incseg.engine.work_dir.config import as_written, check_run_config, write_run_config
from incseg.engine.work_dir.files import (
    METRICS,
    STEP_FILES,
    WorkDir,
    networks_to_keep,
    read_metrics,
)
from incseg.engine.work_dir.inputs import RunInputs

__all__ = [
    'METRICS',
    'STEP_FILES',
    'RunInputs',
    'WorkDir',
    'as_written',
    'check_run_config',
    'networks_to_keep',
    'read_metrics',
    'write_run_config',
]
