"""Before SEAM is trained it is said on what."""

from types import SimpleNamespace

import numpy as np

from incseg.datasets.negatives import BackgroundCrops
from incseg.engine.weak.seam_training import describe_images


def data(negatives=None, helpers=(), shown=(1, 1)):
    labels = np.zeros((374, 2 + len(helpers)), np.float32)
    labels[5, :2] = shown
    return SimpleNamespace(
        metainfo=dict(classes=('cross', 'star', *helpers)),
        helper_ids=tuple(helpers),
        indices=np.arange(374),
        negatives=negatives,
        image_labels=labels,
    )


def test_images_and_classes():
    """The step is named only where it matters."""
    assert describe_images(data(), 'all', 1) == (
        "SEAM, scope 'all': 374 images, 2 classes: cross, star"
    )
    assert describe_images(data(), 'step', 1).startswith("SEAM, scope 'step', step 1: 374 images")


def test_few_crops():
    """14 crops of 500 images taught a class nothing, 21 of 299 little, 156 of 486 something."""
    crops = BackgroundCrops()
    crops.gather(None, range(374), [(0, 0, 4, 4)] * 21 + [None] * 353)
    assert describe_images(data(crops), 'step', 2).endswith(
        'found 21 crops in the 374 images (few: from so little the classes are hardly told apart)'
    )


def test_a_class_that_nothing_shows():
    """Labels of a file may lack it; its maps are of no use, and nobody would know."""
    assert describe_images(data(shown=(1, 0)), 'all', 0).endswith(
        'classes: cross, star; no image shows star, whose maps will mean nothing'
    )


def test_negatives():
    """If it fails, nobody sees that hardly a crop was found."""
    crops = BackgroundCrops()
    crops.gather(None, range(374), [(0, 0, 4, 4)] * 41 + [None] * 333)
    assert describe_images(data(crops, ['disc']), 'step', 2).endswith(
        'classes: cross, star; negatives: BackgroundCrops found 41 crops in the 374 images; '
        'helper classes: disc'
    )
    assert describe_images(data(range(7)), 'step', 2).endswith('negatives: 7 images of range')
