import numpy as np

from incseg.datasets.sources.shapes_scene import draw_scene


def test_labels_do_not_depend_on_the_picture():
    """The class index is made from labels drawn alone."""
    for seed in range(20):
        img, label = draw_scene(np.random.default_rng(seed), 64)
        nothing, alone = draw_scene(np.random.default_rng(seed), 64, with_image=False)
        assert nothing is None and img.shape == (64, 64, 3) and img.dtype == np.uint8
        np.testing.assert_array_equal(label, alone)


def test_colours_are_typical_but_overlap():
    """Too easy if the mean colour gave the class away, hopeless if it told nothing: nearest
    class mean in colour is right for clearly more than 1/6 and clearly less than all."""
    colours, classes = [], []
    for seed in range(300):
        img, label = draw_scene(np.random.default_rng(seed), 64)
        for class_id in np.unique(label)[1:]:
            colours.append(img[label == class_id].mean(0))
            classes.append(class_id)
    x, y = np.array(colours), np.array(classes)
    half = len(y) // 2
    means = np.stack([x[:half][y[:half] == c].mean(0) for c in range(1, 7)])
    guess = 1 + np.linalg.norm(x[half:, None] - means, axis=2).argmin(1)
    assert 0.3 < (guess == y[half:]).mean() < 0.85
