"""From a checkpoint to pseudo-labels to their sweep, by the command lines."""

import re
from pathlib import Path

import pytest
import torch

from incseg.datasets import PseudoLabelFiles

ROOT = Path(__file__).parents[2]
SHAPES = ROOT / 'configs/ft/bisenet_r18_shapes_4-1.py'
SEAM = ROOT / 'configs/_base_/seam/shapes.py'


@pytest.fixture
def weak(tmp_path, tiny, colour_cams):
    """A weak experiment's config and the checkpoint of its network, step 2."""
    config = tmp_path / 'weak.py'
    config.write_text(
        f"_base_ = ['{SHAPES}', '{SEAM}']\n"
        "seam = dict(model=dict(_delete_=True, type='ColourCams'),\n"
        "            inference=dict(scales=(1.,), background=dict(mode='const', value=.3)))\n"
        'data = dict(train=dict(length=12, size=32), test=dict(length=4, size=32))\n'
    )
    checkpoint = tmp_path / 'seam.pth'
    torch.save(
        dict(
            state_dict=dict(weight=torch.ones(1)),
            meta=dict(
                incseg_version='0',
                method='seam',
                step=2,
                classes=['star'],
                palette=[],
                ids=[6],
                scope='step',
                pretrained=False,
                seed=0,
                protocol={},
            ),
        ),
        checkpoint,
    )
    return config, checkpoint


def test_make_resume_and_evaluate(tool, weak, tmp_path):
    """The whole way; a second run without --resume is one line of error."""
    config, checkpoint = weak
    make = ('make_pseudo_labels', config, checkpoint, '--out', tmp_path / 'out')
    status, output = tool(*make)
    folder = tmp_path / 'out' / '4-1' / '2'
    assert status == 0 and output.out.splitlines()[-1] == f'pseudo-labels in {folder}'
    status, _ = tool(*make)
    assert status.startswith(f"error: '{folder}' already holds pseudo-labels")
    assert '\n' not in status
    assert tool(*make, '--resume', '--coco')[0] == 0 and (folder / 'coco.json').is_file()
    status, output = tool('eval_pseudo_labels', config, folder.parents[1])
    assert status.startswith('error: no pseudo-labels in ') and status.endswith(' + 4-1/2')
    first = min((folder / 'labels').iterdir()).stem
    status, output = tool('show_pseudo_labels', config, folder, 'x.png', '--images', first)
    assert status == 0 and output.out == f'1 images of {folder} written to x.png\n'
    status, _ = tool('show_pseudo_labels', config, folder, 'x.png', '--images', first)
    assert "output 'x.png' exists already" in status
    label = folder / f'labels/{first}.png'
    status, _ = tool('show_pseudo_labels', config, folder, label, '--images', first, '--force')
    assert 'is the input' in status
    for _ in range(2):  # its own files are written anew
        status, output = tool('eval_pseudo_labels', config, folder, '--thresholds', '.1', '.3')
        assert status == 0
    assert output.out.startswith('ShapesDataset train: ') and 'stage NoRefinement' in output.out
    assert (folder / 'sweep.png').is_file()


@pytest.mark.parametrize('name', ['labels/mine.png', 'scores/mine.npz', 'image_labels.json'])
def test_files_that_nobody_explains_stay(tool, weak, tmp_path, name):
    """If it fails, masks in a folder that looks like one of pseudo-labels are written over."""
    config, checkpoint = weak
    mine = tmp_path / 'out/4-1/2' / name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b'mine')
    make = ('make_pseudo_labels', config, checkpoint, '--out', tmp_path / 'out')
    for options in ([], ['--resume']):
        status, _ = tool(*make, *options)
        assert 'is there without a meta.json' in status and 'nothing was written' in status
    assert mine.read_bytes() == b'mine'


def test_interrupted(tool, weak, tmp_path, monkeypatch):
    """Labels have no checkpoint to go on from: whole files stay."""

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PseudoLabelFiles, 'write_meta', stop)
    status, _ = tool('make_pseudo_labels', *weak, '--out', tmp_path / 'out')
    assert status == 'interrupted; --resume keeps the whole files and makes the others'


def test_affinity_network(tool, weak, tmp_path):
    """Labels with a strong and a weak background, the network that learns from both, and the
    random walk with it: as the documentation has it."""
    config, checkpoint = weak
    for name, power in (('strong', 4), ('weak', 24)):
        status, _ = tool(
            'make_pseudo_labels',
            config,
            checkpoint,
            '--out',
            tmp_path / name,
            '--cfg-options',
            "seam.refine={'type': 'DenseCRF'}",
            f"seam.inference.background={{'mode': 'pow', 'value': {power}}}",
        )
        assert status == 0
    folders = [tmp_path / name / '4-1' / '2' for name in ('strong', 'weak')]
    net = "{'type': 'AffinityNet', 'backbone': {'type': 'ResNet', 'depth': 18}}"
    train = (
        'train_affinity',
        config,
        '--strong',
        folders[0],
        '--weak',
        folders[1],
        '--out',
        tmp_path / 'a.pth',
        '--epochs',
        '1',
        '--batch-size',
        '2',
        '--crop-size',
        '96',
    )
    status, _ = tool(*train)
    assert status.startswith('error: seam.refine is ') and 'AffinityRandomWalk' in status
    refine = f"seam.refine={{'type': 'AffinityRandomWalk', 'net': {net}"
    status, output = tool(*train, '--cfg-options', refine + '}')
    line = output.out.splitlines()[-1]
    assert status == 0 and re.fullmatch(
        r'\d+ images in \d+ s, mean loss of the last epoch \d\.\d{4}; written to .*a\.pth', line
    )
    train = (*train, '--force')
    status, _ = tool(*train[:-2], '16', '--force', '--cfg-options', refine + '}')
    assert status.startswith('error: crop_size of AffinityNet is 16, expected a multiple of 8')
    assert '\n' not in status
    status, _ = tool(*train, '--init-from', tmp_path / 'none.pth', '--cfg-options', refine + '}')
    assert status.startswith('error: ') and 'none.pth' in status
    status, _ = tool(
        'make_pseudo_labels',
        config,
        checkpoint,
        '--out',
        tmp_path / 'out',
        '--cfg-options',
        f"{refine}, 'checkpoint': '{tmp_path / 'a.pth'}'}}",
    )
    assert status == 0
    status, output = tool('eval_pseudo_labels', config, tmp_path / 'out' / '4-1' / '2')
    assert status == 0 and 'stage AffinityRandomWalk' in output.out
