"""The kernel as a GPU gets it: compiled for sm_90 without one, launched by a stand-in driver."""

import re
import subprocess
from types import SimpleNamespace

import pytest
import torch

triton = pytest.importorskip('triton', reason='Triton comes with the CUDA builds of torch')

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import CompiledKernel  # noqa: E402

from incseg.models.losses.fused import gpu_support, triton_losses  # noqa: E402
from incseg.models.losses.fused.triton_kernel import cell_losses  # noqa: E402

#: a thread cannot have more; with 8 warps a GPU's 65,536 registers hold one program then
MOST_REGISTERS = 255


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Kernels are compiled for sm_90 and then not run; yields a list of what was launched."""
    launched = []
    driver = SimpleNamespace(
        get_current_target=lambda: GPUTarget('cuda', 90, 32),
        get_current_device=lambda: 0,
        get_current_stream=lambda device: 0,
    )

    def note(kernel):
        launched.append(kernel)
        return lambda *arguments: None

    monkeypatch.setattr(triton.knobs.cache, 'dir', str(tmp_path))
    monkeypatch.setattr(triton.runtime.driver, '_active', driver)
    monkeypatch.setattr(CompiledKernel, 'run', property(note))
    monkeypatch.setattr(CompiledKernel, '_init_handles', lambda kernel: None)
    cell_losses.device_caches.clear()
    yield launched
    cell_losses.device_caches.clear()


def losses(channels, teacher, low, full, target=torch.uint8, grad=True, images=2, unbiased=True):
    """Compute losses whose numbers mean nothing: the kernel does not run."""
    triton_losses.losses_in_triton(
        torch.zeros(images, channels, *low),
        torch.zeros(images, teacher, *low) if teacher else None,
        None if target is None else torch.zeros(images, *full, dtype=target),
        full,
        teacher,
        unbiased,
        255,
        grad,
    )


def registers_and_spills(kernel):
    """What ptxas says of a kernel: registers of a thread, and bytes of its stack and spills."""
    log = subprocess.run(
        [triton.knobs.nvidia.ptxas.path, '-v', '--gpu-name=sm_90a', '-o', '/dev/null', '-'],
        input=kernel.asm['ptx'],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    spills = re.findall(r'(\d+) bytes (?:stack frame|spill stores|spill loads)', log)
    return int(re.search(r'Used (\d+) registers', log)[1]), sum(map(int, spills))


def test_steps_share_one_compilation(compiled):
    """If it fails, every step of a protocol begins with a compilation for each head.

    MiB with an auxiliary head: classes grow past a multiple of 16, batches shrink to 1, pictures
    change their size; what remains is a variant with and one without the teacher.
    """
    for channels, teacher, images in ((16, 0, 2), (17, 16, 2), (21, 17, 1)):
        for low in ((2, 2), (1, 3)):
            full = (2 * low[0], 2 * low[1])
            losses(channels, teacher, low, full, images=images)
            losses(channels, 0, low, full, images=images)
    assert len(compiled) == 12
    variants = {id(kernel): kernel for kernel in compiled}
    assert len(variants) == 2
    for kernel in variants.values():
        strides = [kernel.src.signature[f'logits_{axis}'] for axis in 'ncyx']
        assert strides == ['i64'] * 4, 'or offsets into very large tensors overflow'


MIB = dict(channels=21, teacher=16)


@pytest.mark.parametrize(
    ('cell', 'options'),
    [
        ((8, 8), MIB),
        ((16, 16), MIB),
        ((32, 32), MIB),
        ((32, 8), MIB),
        ((16, 16), dict(MIB, unbiased=False)),  # LwF
        ((16, 16), dict(MIB, target=None)),  # distillation alone
        ((16, 16), dict(MIB, target=torch.int64)),
    ],
    ids=['8', '16', '32', '32x8', 'LwF', 'distillation alone', 'int64'],
)
def test_registers_and_spills(compiled, cell, options):
    """If it fails, programs wait for memory where registers would do, and compile for minutes."""
    losses(low=(2, 2), full=(2 * cell[0], 2 * cell[1]), **options)
    registers, spills = registers_and_spills(compiled[0])
    assert spills == 0 and registers <= MOST_REGISTERS, (registers, spills)


def test_launches_on_the_gpu_of_the_tensors(monkeypatch):
    """If it fails, tensors of the second GPU are computed on the first, or not at all."""
    entered, launches = [], []

    class Guard:
        def __init__(self, tensor):
            self.tensor = tensor

        def __enter__(self):
            entered.append(self.tensor)

        def __exit__(self, *error):
            entered.clear()

    class Kernel:
        def __getitem__(self, grid):
            return lambda logits, *rest, **constants: launches.append((grid, entered == [logits]))

    monkeypatch.setattr(torch.cuda, 'device_of', Guard)
    monkeypatch.setattr(triton_losses, 'cell_losses', Kernel())
    losses(3, 0, (2, 3), (4, 6))
    assert launches == [((4, 3, 2), True)] and not entered


@pytest.mark.parametrize(
    ('shape', 'size', 'served'),
    [
        ((2, 21, 16, 16), (512, 512), True),  # 1,024 pixels a cell
        ((2, 21, 16, 15), (512, 512), False),  # 35 columns, held as 64
        ((2, 21, 64, 64), (512, 512), True),
        ((65535, 2, 2, 2), (4, 4), True),
        ((65536, 2, 2, 2), (4, 4), False),  # a GPU's grid ends there
        ((1, 2, 65535, 1), (65536, 2), False),
        ((1, 2, 32768, 1), (32768, 2), False),  # 2 * 32768 * 32768 is no int32
    ],
)
def test_what_the_kernel_serves(shape, size, served):
    """If it fails, a launch is refused by the GPU, or rows are found by numbers that overflow."""
    logits = torch.empty(shape, device='meta')
    assert triton_losses.serves(logits, 0, 0, size) is served


def test_without_a_compiler(monkeypatch, tmp_path):
    """If it fails, a GPU without a C compiler ends the training, or each iteration warns."""
    from triton.backends.nvidia import driver as nvidia

    monkeypatch.setattr(triton.runtime.driver, '_active', None)
    monkeypatch.setattr(triton.runtime.driver, '_default', None)
    monkeypatch.setattr(triton.knobs.cache, 'dir', str(tmp_path))
    monkeypatch.setattr(nvidia.CudaDriver, 'is_active', staticmethod(lambda: True))
    monkeypatch.setattr(nvidia, 'library_dirs', list)
    zeros = torch.zeros
    monkeypatch.setattr(torch, 'zeros', lambda *size, device, **kwargs: zeros(*size, **kwargs))
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CC', raising=False)
    gpu_support.can_launch.cache_clear()
    with pytest.warns(UserWarning, match=r'Triton cannot launch .*C compiler') as warned:
        assert not gpu_support.can_launch(torch.device('cuda', 0))
        assert not gpu_support.can_launch(torch.device('cuda', 0))
    assert len(warned) == 1
    gpu_support.can_launch.cache_clear()


@pytest.mark.parametrize('error', [RuntimeError('ptxas fatal'), NotImplementedError()])
def test_a_kernel_that_cannot_be_compiled(compiled, error, monkeypatch):
    """If it fails, a GPU that takes other kernels but not that of the losses ends the training."""

    class Kernel:
        def __getitem__(self, grid):
            raise error

    zeros = torch.zeros
    monkeypatch.setattr(torch, 'zeros', lambda *size, device, **kwargs: zeros(*size, **kwargs))
    gpu_support.can_launch.cache_clear()
    assert gpu_support.can_launch(torch.device('cuda', 0)) and len(compiled) == 1
    gpu_support.can_launch.cache_clear()
    monkeypatch.setattr(triton_losses, 'cell_losses', Kernel())
    with pytest.warns(UserWarning, match='cannot launch .*(ptxas fatal|NotImplementedError)'):
        assert not gpu_support.can_launch(torch.device('cuda', 0))
    gpu_support.can_launch.cache_clear()
