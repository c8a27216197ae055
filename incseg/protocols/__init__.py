"""Protocols: the classes, images and labels of each step.  NumPy only, no torch."""

from incseg.protocols.class_index import ClassIndex
from incseg.protocols.protocol import Protocol

__all__ = ['ClassIndex', 'Protocol']
