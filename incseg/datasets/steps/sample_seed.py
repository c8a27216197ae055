import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

#: generators that are not in use; to create one takes as long as a transform
_spare: list[np.random.MT19937] = []


@contextmanager
def sample_seed(seed: int | None) -> Iterator[None]:
    """Seed the global generators of ``numpy``, ``random`` and torch (CPU) for one sample.

    The global generators are used because transforms of other libraries draw
    from them.  On leaving the context, also by an error, their former states
    are restored, except that numpy loses the second of a pair of normal
    deviates.  CUDA's generators are not touched.

    Args:
        seed: 0 to 2**32 - 1; None changes nothing.
    """
    if seed is None:
        yield
        return
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    # exchanging numpy's generator is twenty times faster than saving and restoring its state
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
