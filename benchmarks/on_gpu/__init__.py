"""The parts of ``benchmarks/gpu.py``, and the schedule that fits them into the minutes left."""
