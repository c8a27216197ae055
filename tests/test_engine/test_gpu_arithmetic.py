import pytest
import torch

from incseg.engine.gpu_arithmetic import gpu_arithmetic

BACKENDS = torch.backends.cuda.matmul, torch.backends.cudnn


def settings():
    """What decides over the numbers that a GPU gives."""
    cudnn = torch.backends.cudnn
    return *(backend.allow_tf32 for backend in BACKENDS), cudnn.benchmark, cudnn.deterministic


@pytest.fixture
def left_behind(request, monkeypatch):
    """What another run in this process has left: TF32 or not, benchmark on."""
    for backend in BACKENDS:
        monkeypatch.setattr(backend, 'allow_tf32', request.param)
    monkeypatch.setattr(torch.backends.cudnn, 'benchmark', True)
    return request.param, request.param, True, False


@pytest.mark.parametrize('left_behind', [True, False], indirect=True)
@pytest.mark.parametrize('tf32', [True, False])
def test_does_not_depend_on_what_ran_before(left_behind, tf32):
    """If it fails, the same network gives other numbers after a training than by itself; and
    what is set outlives an error."""
    assert settings() == left_behind
    with pytest.raises(KeyError), gpu_arithmetic(tf32):
        assert settings() == (tf32, tf32, False, True)
        raise KeyError
    assert settings() == left_behind
