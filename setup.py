import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    return (ROOT / 'requirements' / f'{name}.txt').read_text().split()


def version() -> str:
    found = re.search(r"__version__ = '(.+)'", (ROOT / 'incseg' / '__init__.py').read_text())
    assert found is not None
    return found.group(1)


setup(
    name='incseg',
    version=version(),
    description='Incremental semantic segmentation: learn new classes without forgetting the old',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['incseg', 'incseg.*']),
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={
        name: requirements(name) for name in ('tests', 'optional', 'crf', 'timm', 'lite0')
    },
)
