"""Protocols: the classes, images and labels of each step.  NumPy only, no torch."""

from incseg.protocols.class_index import ClassIndex
from incseg.protocols.protocol import Protocol
from incseg.protocols.step_plan import Source, Step, StepPlan

__all__ = ['ClassIndex', 'Protocol', 'Source', 'Step', 'StepPlan']
