import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
#: folders of the checkout that a wheel carries, below ``incseg/_data``
DATA = ('configs', 'tools')


def requirements(name: str) -> list[str]:
    return (ROOT / 'requirements' / f'{name}.txt').read_text().split()


def version() -> str:
    found = re.search(r"__version__ = '(.+)'", (ROOT / 'incseg' / '__init__.py').read_text())
    assert found is not None
    return found.group(1)


class BuildWithData(build_py):
    """Copy the configs and tools into the wheel; an editable installation uses the checkout's."""

    def run(self) -> None:
        super().run()
        if not getattr(self, 'editable_mode', False):
            for source, target in self.data_copies():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [
            *super().get_outputs(include_bytecode),
            *(str(target) for _, target in self.data_copies()),
        ]

    def data_copies(self) -> list[tuple[Path, Path]]:
        target = Path(self.build_lib) / 'incseg' / '_data'
        files = [
            path
            for name in DATA
            for path in (ROOT / name).rglob('*')
            if path.suffix in ('.py', '.sh')
        ]
        return [(path, target / path.relative_to(ROOT)) for path in sorted(files)]


setup(
    name='incseg',
    version=version(),
    description='Incremental semantic segmentation: learn new classes without forgetting the old',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['incseg', 'incseg.*']),
    cmdclass={'build_py': BuildWithData},
    entry_points={'console_scripts': ['incseg = incseg.cli.main:main']},
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={
        name: requirements(name) for name in ('tests', 'optional', 'crf', 'timm', 'lite0', 'slurm')
    },
)
