"""Scores become the label map and the stored scores of an image."""

import numpy as np
import pytest
import torch

from incseg.datasets import BackgroundRule, PseudoLabelFiles, ShapesDataset
from incseg.engine.weak.cam_inference import CamInference
from incseg.engine.weak.pseudo_label_maker import PseudoLabelMaker
from incseg.errors import InvalidInputError, SaveError
from incseg.models import PAMR

LABELS = np.zeros((5, 7), np.bool_)
LABELS[:, 0] = LABELS[0, 5] = LABELS[0, 6] = LABELS[2, 6] = LABELS[3, 1] = LABELS[4, 5] = True


@pytest.fixture
def dataset():
    return ShapesDataset(length=5, size=32)


@pytest.fixture
def make(tmp_path, dataset, colour_cams):
    """``make(name, …)``: make the labels of classes 5 and 6 and return their files."""

    def run(
        name='a',
        background=BackgroundRule('const', 0.4),  # noqa: B008
        indices=(0, 1, 2, 3, 4),
        **options,
    ):
        files = PseudoLabelFiles(tmp_path / name)
        inference = CamInference(colour_cams(2), (1.0, 0.5))
        maker = PseudoLabelMaker(inference, [5, 6], files, background, **options)
        done = []
        maker.make(dataset, indices, LABELS, done.append)
        assert sum(done) == len(indices)
        return files, maker

    return run


def test_labels_are_made_from_floats(make, dataset):
    """If it fails, labels do not follow maps, threshold and dataset ids, or are made from 8-bit
    scores, where pixels at the threshold change."""
    files, maker = make()
    for index, image_id in enumerate(dataset.image_ids):
        image = torch.from_numpy(dataset.get_data_info(index)['img']).permute(2, 0, 1)[None]
        shown = torch.from_numpy(LABELS[index : index + 1, [5, 6]])
        [maps] = maker.inference(image, shown)
        ids = np.array([5, 6])[shown[0].numpy()]
        stored = files.read_scores(image_id)
        assert stored.ids.tolist() == ids.tolist() and stored.size == (32, 32)
        np.testing.assert_array_equal(stored.score, np.rint(maps.numpy() * 255))
        expected = np.zeros((32, 32), np.uint8)
        if len(ids):
            best = maps.max(0)
            expected = np.where(best.values > 0.4, ids[best.indices.numpy()], 0)
            assert len(np.unique(expected)) > 1
        np.testing.assert_array_equal(files.read_label(image_id), expected)


@pytest.mark.parametrize(
    ('refine', 'message'),
    [
        (lambda scores: scores[:1], r'refine\(\) of Own is \(1, .*expected a tensor'),
        (lambda scores: scores.numpy(), r'refine\(\) of Own is .ndarray., expected a tensor'),
        (lambda scores: scores * float('nan'), r'refine\(\) of Own returned scores that are NaN'),
    ],
)
def test_a_refinement_that_returns_something_else(refine, message, make):
    """If it fails, labels are made of anything that a foreign refinement returns."""

    class Own:
        def refine(self, image, scores):
            return refine(scores)

    with pytest.raises(InvalidInputError, match=message):
        make('own', BackgroundRule('pow', 4.0), refinement=Own())


def test_refined_labels_and_scores(make, dataset):
    """If it fails, a refinement does not get the background's map first, or the stored scores do
    not give its labels again, up to their rounding."""
    background = BackgroundRule('pow', 4.0)
    plain, maker = make('plain', background)
    refined, maker = make('refined', background, refinement=PAMR(2, (1, 2)))
    assert maker.rule.mode == 'score'
    image_id = dataset.image_ids[0]
    stored = refined.read_scores(image_id)
    assert stored.ids.tolist() == [0, 5, 6]
    image = torch.from_numpy(dataset.get_data_info(0)['img']).permute(2, 0, 1)
    [maps] = maker.inference(image[None], torch.ones(1, 2, dtype=torch.bool))
    expected = PAMR(2, (1, 2)).refine(image, torch.cat([background.background(maps), maps]))
    np.testing.assert_array_equal(stored.score, np.rint(expected.numpy() * 255))
    again = maker.rule.label_map([0, 5, 6], torch.from_numpy(stored.full_size()))
    assert (again.numpy() == refined.read_label(image_id)).mean() > 0.99
    assert refined.read_scores(dataset.image_ids[1]).ids.tolist() == []
    assert not refined.read_label(dataset.image_ids[1]).any()


def test_batches_threads_and_order_do_not_matter(make, dataset):
    """If it fails, labels depend on the batch size, the number of threads or the order of
    images."""
    one, _ = make('one', batch_size=1, num_threads=1)
    all_, _ = make('all', indices=(4, 2, 0, 1, 3), batch_size=8, num_threads=4)
    for image_id in dataset.image_ids:
        same = one.read_label(image_id) == all_.read_label(image_id)
        assert same.mean() >= 0.999


def test_scores_may_be_left_out_or_coarse(make, dataset):
    """If it fails, the labels depend on the stride of the stored scores, or stride 0 stores
    scores."""
    fine, _ = make('fine')
    without, _ = make('without', score_stride=0)
    coarse, _ = make('coarse', score_stride=4)
    image_id = dataset.image_ids[0]
    assert not without.score_path(image_id).exists()
    assert coarse.read_scores(image_id).score.shape == (2, 8, 8)
    for files in (without, coarse):
        np.testing.assert_array_equal(files.read_label(image_id), fine.read_label(image_id))


def test_uncertain_pixels(make, dataset):
    """If it fails, pixels near the threshold do not become 255, or others change."""
    sure, _ = make('sure')
    unsure, _ = make('unsure', uncertain=0.1)
    image_id = dataset.image_ids[0]
    near = np.abs(sure.read_scores(image_id).full_size().max(0) - 0.4)
    label = unsure.read_label(image_id)
    assert (label[near < 0.097] == 255).all() and (label == 255).any()
    far = near > 0.103
    np.testing.assert_array_equal(label[far], sure.read_label(image_id)[far])


def test_errors_of_the_threads_are_raised(make, monkeypatch):
    """If it fails, a full disk, which a thread notices, does not end the run."""

    def full(*args):
        raise SaveError('cannot write: disk full')

    monkeypatch.setattr(PseudoLabelFiles, 'write', full)
    with pytest.raises(SaveError, match='disk full'):
        make()
