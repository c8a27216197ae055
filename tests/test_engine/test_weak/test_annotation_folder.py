"""Pseudo-labels that a config names are looked for before anything is trained."""

from pathlib import Path

import numpy as np
import pytest

from incseg.apis import load_config
from incseg.datasets import PseudoLabelFiles, ScoreFile, ShapesDataset
from incseg.engine import Experiment
from incseg.engine.labels import step_labels
from incseg.errors import InvalidInputError, MissingFileError

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.fixture
def check(tmp_path):
    """``check(folder, **options)``: step 1 of MiB-S 4-2 on 12 pictures."""

    def run(folder, k=1, method='mib_s', **options):
        experiment = Experiment(
            load_config(
                CONFIGS / method / 'bisenet_r18_shapes_4-2.py',
                {'annotation.folder': str(folder), **options},
            )
        )
        labels = step_labels(experiment, k)
        labels.check(labels.build(ShapesDataset(length=12, size=32)))

    return run


@pytest.fixture
def made(tmp_path):
    """All labels of 4-2's step 1 with scores, empty; returns their files."""
    shapes = ShapesDataset(length=12, size=32)
    files = PseudoLabelFiles.of_step(tmp_path / 'pseudo', '4-2', 1)
    files.write_meta(dict(ids=[5, 6], classes=['cross', 'star'], bg=dict(mode='const', value=0.5)))
    nothing = np.zeros((32, 32), np.uint8)
    for name, row in zip(shapes.image_ids, shapes.presence()):
        if row[5:].any():
            files.write(name, nothing, ScoreFile.quantise([], np.zeros((0, 32, 32)), 1))
    return files


def test_complete_labels(check, made):
    """The root serves, with the PNGs as they are and with labels made anew from scores."""
    root = made.folder.parents[1]
    check(root)
    check(root, **{'annotation.threshold': 0.3})


def test_leaf_in_place_of_root(check, made):
    """What belongs there is named, for the step's folder and for the protocol's."""
    root = made.folder.parents[1]
    for given in (made.folder, made.folder.parent):
        with pytest.raises(
            MissingFileError,
            match=(
                f"annotation.folder is '{given}': expected is the root of pseudo-labels, the "
                f"folder that holds '4-2/1/meta.json'; '{root}' is that root"
            ),
        ):
            check(given)


def test_root_of_something_else(check, made, tmp_path):
    """Says what was found: nothing, no labels, those of a single step, or of other steps."""
    with pytest.raises(MissingFileError, match="holds '4-2/1/meta.json'; there is no such folder"):
        check(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(MissingFileError, match='; it holds no labels'):
        check(tmp_path / 'empty')
    with pytest.raises(MissingFileError, match="'2-2/1/meta.json'; it holds 4-2/1"):
        check(made.folder.parents[1], **{'protocol.name': '2-2'})
    made.folder.rename(tmp_path / 'alone')
    with pytest.raises(MissingFileError, match='holds the labels of a single step itself'):
        check(tmp_path / 'alone')


def test_incomplete_labels(check, made):
    """The first image that lacks a file and how many do."""
    root = made.folder.parents[1]
    first, second, *_ = sorted(made.folder.glob('labels/*.png'))
    made.score_path(second.stem).unlink()
    check(root)
    with pytest.raises(
        MissingFileError, match=(rf"{second.stem}.npz' does not exist \(1 of .*scores=True")
    ):
        check(root, **{'annotation.uncertain': 0.1})
    with pytest.raises(MissingFileError, match=f'{second.stem}.npz'):
        check(root, **{'annotation.gating': True})
    first.unlink()
    with pytest.raises(MissingFileError, match=rf"{first.stem}.png' does not exist \(1 of "):
        check(root)


def test_labels_of_other_classes(check, made):
    """Another class order under the same protocol's name."""
    with pytest.raises(InvalidInputError, match=r'ids \[5, 6\], step 1 of 4-2 also learns disc'):
        check(made.folder.parents[1], **{'protocol.class_order': [2, 3, 4, 5, 6, 1]})


def test_an_image_of_another_step(check, made, tmp_path):
    """Joint training on labels of each step: an image needs those of the classes that it shows."""
    for step, ids in ((0, [1, 2, 3, 4]), (1, [5, 6])):
        PseudoLabelFiles.of_step(tmp_path / 'pseudo', '4-2', step).write_meta(
            dict(ids=ids, classes=[], bg=dict(mode='const', value=0.5))
        )
    options = {'seam.scope': 'step', 'annotation.steps': 'added'}
    check(tmp_path / 'pseudo', 0, 'joint_s', **options)
    with pytest.raises(MissingFileError, match='4-2/0/labels'):
        check(tmp_path / 'pseudo', 0, 'joint_s', **{**options, 'annotation.steps': 'all'})


def test_labels_of_another_data_set(check, made):
    """Equal ids are not equal classes."""
    made.write_meta(
        dict(ids=[5, 6], classes=['bottle', 'bus'], dataset='voc', bg=dict(mode='const', value=0.5))
    )
    with pytest.raises(InvalidInputError, match='of the data set voc, where 5 is bottle'):
        check(made.folder.parents[1])


def test_a_label_that_is_not_the_one_written(check, made):
    """If it fails, a step on exchanged labels begins after hours of step 0, or is trained."""
    names = [path.stem for path in sorted((made.folder / 'labels').iterdir())]
    made.write_digests(names)
    check(made.folder.parents[1])
    other = PseudoLabelFiles(made.folder.parent / 'other')
    other.write('x', np.full((32, 32), 5, np.uint8))
    made.label_path(names[0]).write_bytes(other.label_path('x').read_bytes())
    with pytest.raises(InvalidInputError, match=f"{names[0]}.png' is damaged or was edited"):
        check(made.folder.parents[1])
