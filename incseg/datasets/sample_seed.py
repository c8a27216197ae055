import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def sample_seed(seed: int | None) -> Iterator[None]:
    """Seed the global generators of ``numpy``, ``random`` and torch (CPU) for one sample.

    Their states from before come back afterwards, also after an error.
    Third-party transforms draw from them too, so no generator of our own would
    do.  CUDA's generators are not touched.

    Args:
        seed: 0 to 2**32 - 1; None changes nothing.
    """
    if seed is None:
        yield
        return
    numpy_state, python_state = np.random.get_state(), random.getstate()
    torch_state = torch.get_rng_state()
    np.random.seed(seed)
    random.seed(int(seed))
    torch.default_generator.manual_seed(int(seed))
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
