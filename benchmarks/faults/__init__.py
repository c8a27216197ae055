"""Faults that a training has to survive, one module each; see ``benchmarks/reliability.py``."""
