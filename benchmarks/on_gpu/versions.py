"""Versions, the GPU, and whether every module of the library is imported there."""

import importlib
import pkgutil
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = (
    *('torch', 'torchvision', 'triton', 'mmengine', 'mmcv', 'mmcv-lite', 'numpy'),
    *('pytest', 'pytest-xdist', 'hypothesis'),
)


def main() -> None:
    print(f'python {platform.python_version()}, {platform.platform()}')
    print(', '.join(f'{name} {installed(name)}' for name in PACKAGES))
    print(f'CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}')
    print(f'C compiler: {shutil.which("cc") or shutil.which("gcc") or "none, so no Triton kernel"}')
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        print(
            f'GPU {index}: {about.name}, sm_{about.major}{about.minor}, '
            f'{about.total_memory / 2**30:.0f} GiB, {about.multi_processor_count} processors'
        )
    if shutil.which('nvidia-smi'):
        query = ['nvidia-smi', '--query-gpu=driver_version,clocks.max.sm', '--format=csv,noheader']
        print(
            'driver, clock:', subprocess.run(query, capture_output=True, text=True).stdout.strip()
        )
    import incseg

    names = [each.name for each in pkgutil.walk_packages(incseg.__path__, 'incseg.')]
    for name in names:
        importlib.import_module(name)
    print(f'incseg {incseg.__version__}: {len(names)} modules imported')


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return 'none'


if __name__ == '__main__':
    main()
