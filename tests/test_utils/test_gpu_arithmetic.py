import pytest
import torch

from incseg.utils.precision import gpu_arithmetic


def settings():
    """What decides over the numbers that a GPU gives."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic


@pytest.mark.parametrize('left', [True, False])
@pytest.mark.parametrize('tf32', [True, False])
def test_does_not_depend_on_what_ran_before(left, tf32, gpu_settings):
    """If it fails, the same network gives other numbers after a training than by itself, or what
    is set outlives an error."""
    gpu_settings(tf32=left, benchmark=True)
    with pytest.raises(KeyError), gpu_arithmetic(tf32):
        assert settings() == (tf32, tf32, False, True)
        raise KeyError
    assert settings() == (left, left, True, False)
