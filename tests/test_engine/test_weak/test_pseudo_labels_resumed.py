"""Interrupted pseudo-labels are completed, and never mixed with others."""

import json

import numpy as np
import pytest

from incseg.datasets import BackgroundRule, PseudoLabelFiles, ShapesDataset
from incseg.engine.weak.cam_inference import CamInference
from incseg.engine.weak.pseudo_label_maker import PseudoLabelMaker
from incseg.engine.weak.pseudo_labels import make_pseudo_labels
from incseg.errors import InvalidInputError
from incseg.utils import distributed

INDICES = np.array([0, 2, 3, 5])
LABELS = np.zeros((6, 7), np.bool_)
LABELS[:, [0, 5]] = True
META = dict(ids=[5], scales=(1.0,), seed=42)


@pytest.fixture
def dataset():
    return ShapesDataset(length=6, size=32)


@pytest.fixture
def make(tmp_path, dataset, colour_cams):
    """``make(resume=…, meta=…)`` -> (how many images were made, the files)."""
    files = PseudoLabelFiles.of_step(tmp_path, '4-1', 1)

    def run(resume=False, meta=META, labels=LABELS):
        maker = PseudoLabelMaker(
            CamInference(colour_cams(1), (1.0,)), [5], files, BackgroundRule('const', 0.3)
        )
        return make_pseudo_labels(maker, dataset, INDICES, labels, meta, resume), files

    return run


def test_files_of_a_step(make, dataset, capsys):
    """If it fails, other images are labelled, a file lacks its content, or the progress is not one
    line."""
    count, files = make()
    ids = dataset.image_ids
    assert count == 4
    made = sorted(path.stem for path in (files.folder / 'labels').iterdir())
    assert made == [ids[i] for i in INDICES]
    meta = files.read_meta()
    assert len(meta.pop('image_labels_sha')) == 64
    assert meta == dict(version=1, ids=[5], scales=[1.0], seed=42, bg=dict(mode='const', value=0.3))
    shown = json.loads((files.folder / 'image_labels.json').read_text())
    assert shown == {ids[i]: ['cross'] for i in INDICES}
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith('pseudo-labels 4-1 step 1: 4/4, ')


def test_resume_redoes_what_is_missing_or_damaged(make, dataset):
    """If it fails, complete files are made again, or damaged ones stay or change."""
    _, files = make()
    ids = [dataset.image_ids[i] for i in INDICES]
    before = [files.label_path(image_id).read_bytes() for image_id in ids]
    kept = [files.label_path(image_id).stat().st_mtime_ns for image_id in ids]
    files.label_path(ids[0]).unlink()
    files.label_path(ids[1]).write_bytes(before[1][:40])
    files.score_path(ids[2]).write_bytes(b'PK')
    count, _ = make(resume=True)
    assert count == 3
    assert [files.label_path(image_id).read_bytes() for image_id in ids] == before
    assert files.is_valid(ids[2], True)
    assert files.label_path(ids[3]).stat().st_mtime_ns == kept[3]
    assert make(resume=True)[0] == 0


def test_resume_redoes_what_was_exchanged(make, dataset):
    """If it fails, two label maps that changed places are trained on."""
    _, files = make()
    paths = [files.label_path(dataset.image_ids[i]) for i in INDICES[:2]]
    before = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(before)):
        path.write_bytes(content)
    assert make(resume=True)[0] == 2
    assert [path.read_bytes() for path in paths] == before
    assert make(resume=True)[0] == 0


def test_resume_redoes_foreign_ids(make, dataset):
    """If it fails, a label map with a class of another step counts as complete."""
    _, files = make()
    image_id = dataset.image_ids[INDICES[0]]
    before = files.read_label(image_id)
    files.write(image_id, np.full_like(before, 77))
    assert make(resume=True)[0] == 1
    np.testing.assert_array_equal(files.read_label(image_id), before)


def test_other_image_labels_are_refused(make):
    """If it fails, ``image_labels.json`` does not match the label maps, or is overwritten before
    the refusal."""
    _, files = make()
    shown = (files.folder / 'image_labels.json').read_text()
    changed = LABELS.copy()
    changed[INDICES[0], 5] = False
    with pytest.raises(InvalidInputError, match="made with image_labels_sha='.*pass another --out"):
        make(resume=True, labels=changed)
    assert (files.folder / 'image_labels.json').read_text() == shown
    changed = LABELS.copy()
    changed[1, 5] = False
    assert make(resume=True, labels=changed)[0] == 0, 'an image that is not of the step'


def test_nothing_is_mixed_up(make):
    """If it fails, existing labels are overwritten, or completed by another network's."""
    make()
    with pytest.raises(InvalidInputError, match=r"1' already holds pseudo-labels: pass --resume"):
        make()
    with pytest.raises(InvalidInputError, match=r'were made with scales=\[1\.0\], now it is \[2'):
        make(resume=True, meta={**META, 'scales': (2.0,)})


def test_processes_share_the_images(make, monkeypatch, dataset):
    """If it fails, two processes label an image twice, or leave one out."""
    monkeypatch.setattr(distributed, 'get_world_size', lambda: 2)
    monkeypatch.setattr(distributed, 'all_gather_object', lambda mine: [mine, [2, 5]])
    count, files = make()
    assert count == 2
    monkeypatch.setattr(distributed, 'get_rank', lambda: 1)
    monkeypatch.setattr(distributed, 'all_gather_object', lambda mine: [mine, []])
    assert make(resume=True)[0] == 1, 'one of the two that are left'
    valid = [files.is_valid(dataset.image_ids[i], True) for i in INDICES]
    assert valid == [True, False, True, True]
