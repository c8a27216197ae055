"""Which classes, which images and which labels each step has.  NumPy only, no torch."""

from incseg.protocols.class_index import ClassIndex
from incseg.protocols.protocol import Protocol

__all__ = ['ClassIndex', 'Protocol']
