import torch

from incseg.engine.hooks import IterationSeedHook


def draw(seed, iteration):
    IterationSeedHook(seed).before_train_iter(None, iteration)
    return torch.rand(3)


def test_randomness_is_a_function_of_the_iteration():
    """Dropout at iteration 5 is the same after a resume, and differs from iteration 6's."""
    first = draw(1, 5)
    torch.rand(100)
    assert torch.equal(draw(1, 5), first)
    assert not torch.equal(draw(1, 6), first)
    assert not torch.equal(draw(2, 5), first)
