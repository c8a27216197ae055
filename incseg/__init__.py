"""Incremental semantic segmentation: learn new classes without forgetting the old ones."""

import os

from incseg.renamed import install

__version__ = '0.1.0'

# cuBLAS and torch read it once, at a process's first product on a GPU; without it
# schedule.deterministic=True would fail later
os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')

install()
