"""Incremental semantic segmentation: learn new classes without forgetting the old ones."""

from incseg.renamed import install

__version__ = '0.1.0'

install()
