"""The time left is that of all steps, from the pace of the one that is at work."""

import pytest

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_left import WorkLeft, work_left


def test_later_steps_and_evaluations_are_counted():
    """If it fails, a run of six steps promises the end of its first."""
    work = WorkLeft({0: 80, 1: 40}, {0: 12, 1: 12})
    # 10 iterations of 8 images, 4 done, 2 s each: 0.25 s an image, a third of it in a test
    assert work.seconds(0, 'train', 10, 4, 2.0) == pytest.approx(6 * 2 + 1 + 10 + 1)
    # 12 images, 6 done, now half a second each; then 40 in training at 0.25 s
    assert work.seconds(0, 'test', 12, 6, 0.5) == pytest.approx(6 * 0.5 + 10 + 6)
    # the pace of step 1 replaces that of step 0; nothing of step 0 is left
    assert work.seconds(1, 'train', 5, 1, 4.0) == pytest.approx(4 * 4 + 6)
    assert work.seconds(1, 'test', 12, 12, 0.5) == 0


def test_a_run_that_begins_with_an_evaluation():
    """If it fails, a resumed run whose step only lacks its scores shows no time, or stops."""
    work = WorkLeft({1: 40, 2: 20}, {1: 12, 2: 12})
    assert work.seconds(1, 'test', 12, 2, 0.5) == pytest.approx(10 * 0.5 + 20 * 1.5 + 12 * 0.5)


def test_work_of_an_experiment(tiny):
    """Iterations x images, a third more with a teacher, and the test images of every step."""
    options = {'epochs': [2, 3], 'batch_size': 4, 'data.test.length': 6}
    datasets = {0: range(30), 1: range(10), 2: range(9)}
    work = work_left(Experiment(tiny('mib', **options)), datasets)
    trained = {step: images for step, kind, images in work.parts if kind == 'train'}
    assert trained == pytest.approx({0: 2 * 7 * 4, 1: 3 * 2 * 4 * 4 / 3, 2: 3 * 2 * 4 * 4 / 3})
    assert [images for _, kind, images in work.parts if kind == 'test'] == [6, 6, 6]
    work = work_left(Experiment(tiny('ft', **options)), {1: range(10)}, 6, 0)
    assert work.parts == [(1, 'train', 3 * 4 * 4), (1, 'test', 6)]
