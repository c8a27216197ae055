"""The command line: options reach the training, mistakes are one line."""

import subprocess
import sys

import pytest
import torch

from incseg.engine.weak.seam_store import read_seam_checkpoint


@pytest.fixture
def run(tool_environment, tmp_path):
    """Runs the tool on a tiny config with options; returns what it printed."""
    root = tool_environment['PYTHONPATH']
    (tmp_path / 'leaf.py').write_text(
        f"_base_ = ['{root}/configs/mib/bisenet_r18_shapes_4-1.py', "
        f"'{root}/configs/_base_/seam/shapes.py']\n"
    )

    def start(*options):
        return subprocess.run(
            [
                sys.executable,
                f'{root}/tools/train_seam.py',
                'leaf.py',
                *options,
                '--cfg-options',
                'data.train.length=16',
                'data.train.size=32',
                'seam.schedule.epochs=1',
                'seam.model.backbone.output_stride=8',
            ],
            cwd=tmp_path,
            env=tool_environment,
            capture_output=True,
            text=True,
        )

    return start


def test_trains(run, tmp_path):
    """The file is where it is said to be, with the step and the seed of the command."""
    done = run('--step', '2', '--seed', '5')
    assert done.returncode == 0, done.stderr
    path = tmp_path / done.stdout.strip().rpartition('SEAM in ')[2]
    assert path.parent.parent == tmp_path / 'work_dirs/_seam'
    assert done.stdout.splitlines()[0].startswith("SEAM, scope 'all': 16 images, 6 classes: ")
    content = read_seam_checkpoint(path)
    assert (content['meta']['step'], content['meta']['seed']) == (2, 5)
    assert all(torch.isfinite(value).all() for value in content['state_dict'].values())
    again = run('--step', '2', '--seed', '5')
    assert again.returncode == 1 and again.stderr.startswith('error: ')
    assert 'exists already: pass --resume' in again.stderr and 'Traceback' not in again.stderr
