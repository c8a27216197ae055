import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

#: generators that are not in use; a new one costs as much as a transform
_spare: list[np.random.MT19937] = []


@contextmanager
def sample_seed(seed: int | None) -> Iterator[None]:
    """Seed the global generators of ``numpy``, ``random`` and torch (CPU) for one sample.

    Their states from before come back afterwards, also after an error (but
    for the second of a pair of normal deviates that numpy may hold back).
    Third-party transforms draw from them too, so no generator of our own would
    do.  CUDA's generators are not touched.

    Args:
        seed: 0 to 2**32 - 1; None changes nothing.
    """
    if seed is None:
        yield
        return
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    # numpy's generator is exchanged: twenty times cheaper than to copy its state and back
    own = np.random.get_bit_generator()  # type: ignore[attr-defined]
    other = _spare.pop() if _spare else np.random.MT19937(0)
    np.random.set_bit_generator(other)  # type: ignore[attr-defined]
    np.random.seed(seed)
    random.seed(int(seed))
    torch.default_generator.manual_seed(int(seed))
    try:
        yield
    finally:
        np.random.set_bit_generator(own)  # type: ignore[attr-defined]
        _spare.append(other)
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
