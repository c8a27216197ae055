from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    return (ROOT / 'requirements' / f'{name}.txt').read_text().split()


version: dict[str, str] = {}
exec((ROOT / 'incseg' / '__init__.py').read_text(), version)

setup(
    name='incseg',
    version=version['__version__'],
    description='Incremental semantic segmentation: learn new classes without forgetting the old',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['incseg', 'incseg.*']),
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in ('tests', 'optional', 'crf')},
)
