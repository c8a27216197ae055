"""AffinityNet learns from crops whose labels follow the image."""

import numpy as np
import pytest
import torch

from incseg.datasets import ColourJitter, PseudoLabelFiles, ScoreFile
from incseg.engine.weak.affinity.dataset import AffinityDataset
from incseg.errors import InvalidInputError


class Pictures:
    """Three pictures whose left half is dark and right half bright."""

    image_ids = ('a', 'b', 'none')

    def __init__(self, size=(32, 48)):
        self.image = np.full((*size, 3), 10, np.uint8)
        self.image[:, size[1] // 2 :] = 200

    def get_data_info(self, index):
        return dict(img=self.image, image_id=self.image_ids[index])


@pytest.fixture
def files(tmp_path):
    """Image a: class 7 in the right half; b: no class; the third has no scores."""
    pair = []
    for name in ('strong', 'weak'):
        files = PseudoLabelFiles(tmp_path / name)
        scores = np.zeros((2, 32, 48), np.float32)
        scores[0, :, :24] = scores[1, :, 24:] = 1
        files.write('a', np.zeros((32, 48), np.uint8), ScoreFile.quantise([0, 7], scores))
        files.write('b', np.zeros((32, 48), np.uint8), ScoreFile.quantise([], scores[:0]))
        pair.append(files)
    return pair


def test_labels_move_with_the_image(files):
    """If it fails, crop or flip move the image and its labels differently: over many seeds every
    block of one colour has that colour's label."""
    data = AffinityDataset(Pictures(), *files, crop_size=24)
    assert len(data) == 2
    mirrored = 0
    for seed in range(30):
        image, label = data[0, seed]
        assert image.shape == (3, 24, 24) and label.shape == (3, 3)
        blocks = image[0].unfold(0, 8, 8).unfold(1, 8, 8).flatten(2)
        for block, found in zip(blocks.flatten(0, 1), label.flatten().tolist()):
            if block.unique().numel() == 1:
                assert found == {10: 0, 200: 7}[int(block[0])]
        mirrored += int(image[0, 0, 0] > image[0, 0, -1])
    assert mirrored, 'some are flipped'


def test_small_images_are_padded(files):
    """If it fails, a part of a small image is lost, or its padding is learned from: padding has the
    mean colour and ignored labels."""
    data = AffinityDataset(Pictures(), *files, crop_size=64)
    image, label = data[0, 3]
    assert (image[0] == 10).sum() == (image[0] == 200).sum() == 32 * 24
    assert (image[0] == 104).sum() == 64 * 64 - 32 * 48
    assert {0, 7, 255} >= set(label.unique().tolist()) and (label == 255).any()


def test_item_depends_only_on_index_and_seed(files):
    """If it fails, a resumed training, or one with other worker processes, sees other crops."""
    data = AffinityDataset(Pictures(), *files, crop_size=24)
    first = data[0, 5]
    data[1, 9]
    assert all(torch.equal(a, b) for a, b in zip(first, data[0, 5]))
    assert any(not torch.equal(first[0], data[0, seed][0]) for seed in range(6, 12))


def test_no_class_is_background(files):
    """If it fails, nothing is learned from images without a class, whose pixels belong together."""
    _, label = AffinityDataset(Pictures(), *files, crop_size=24)[1, 0]
    assert not label.any()


def test_colours_change_before_the_crop(files):
    """If it fails, the jitter sees only the crop, moves labels, or depends on more than the seed.
    Contrast 0 shows the image that it saw: every pixel gets the mean grey of the whole image."""
    plain = AffinityDataset(Pictures(), *files, crop_size=24)
    grey = AffinityDataset(Pictures(), *files, crop_size=24, colour=ColourJitter(contrast=(0, 0)))
    bright = AffinityDataset(Pictures(), *files, crop_size=24, colour=ColourJitter(brightness=0.3))
    factors = set()
    for seed in range(8):
        image, label = plain[0, seed]
        assert (grey[0, seed][0] == 105).all() and torch.equal(grey[0, seed][1], label)
        changed, same = bright[0, seed]
        assert torch.equal(same, label) and torch.equal(bright[0, seed][0], changed)
        dark = image == 10
        assert ((changed < 50) == dark).all(), 'the same pixels of the same crop'
        factors.add(int(changed.max()))
    assert len(factors) > 3


@pytest.mark.parametrize('crop_size', [0, 8, 16, 20, 28])
def test_crops_without_a_pair(files, crop_size):
    """If it fails, a crop of 2 x 2 blocks is accepted, whose loss is always 0, or one that is no
    multiple of 8."""
    with pytest.raises(
        InvalidInputError,
        match=(f'crop_size of AffinityNet is {crop_size}, expected a multiple of 8, at least 24'),
    ):
        AffinityDataset(Pictures(), *files, crop_size=crop_size)


def test_bad_scores(files, tmp_path):
    """If it fails, scores without the background's map, or of two different runs, are mixed."""
    with pytest.raises(
        InvalidInputError,
        match=('no image of Pictures has scores both in .*; no pseudo-labels in .* expected is'),
    ):
        AffinityDataset(Pictures(), files[0], PseudoLabelFiles(tmp_path / 'other'))
    for ids in ([0, 5], [7, 0]):
        files[1].write(
            'a', np.zeros((32, 48), np.uint8), ScoreFile.quantise(ids, np.zeros((2, 32, 48)))
        )
        with pytest.raises(
            InvalidInputError, match=r"scores of image 'a' in .* is \[0, 7\], expected"
        ):
            AffinityDataset(Pictures(), *files, crop_size=24)[0, 0]
