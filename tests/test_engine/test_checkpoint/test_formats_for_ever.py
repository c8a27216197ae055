"""A small file of every format: it loads and predicts the same for ever."""

import warnings
from runpy import run_path

import numpy as np
import pytest

from incseg.apis import init_model
from incseg.apis.inference import inference_model
from incseg.engine.checkpoint import FORMAT, StepCheckpoint
from incseg.errors import InvalidInputError


@pytest.mark.parametrize('number', range(FORMAT + 1))
def test_predicts_the_same_for_ever(kept, number):
    """If it fails, files that users have predict something else with this version."""
    expected = np.load(kept(number).parent / 'labels.npz', allow_pickle=False)['labels']
    make = run_path(str(kept(number).parent / 'make.py'))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if number:
            model = init_model(kept(number), device='cpu')
        else:
            model = init_model(kept(number).parent / 'toy.py', kept(number), device='cpu')
    labels = inference_model(model, make['picture']()).pred_sem_seg.data[0].numpy()
    sure = expected != 255
    np.testing.assert_array_equal(labels[sure], expected[sure])
    assert sure.mean() > 0.98 and len(np.unique(expected)) == 4
    names = ['background', 'disc', 'square', 'triangle', 'ring', 'cross']
    assert model.dataset_meta['classes'] == names


def test_version_0_1_is_told_in_one_line(kept):
    """If it fails, nobody knows that such a file cannot tell whether it is damaged."""
    with pytest.warns(UserWarning, match='is of incseg 0.1: .* a damaged weight is not') as told:
        checkpoint = StepCheckpoint(kept(0))
        meta = checkpoint.meta
    assert len(told) == 1 and '\n' not in str(told[0].message)
    assert meta['format'] == FORMAT and meta['config'] is None and meta['kind'] == 'step'
    assert checkpoint.outputs_per_step == [5, 1]
    assert checkpoint.tensors == StepCheckpoint(kept(1)).tensors, 'the same training'


def test_version_0_1_needs_its_config(kept):
    """If it fails, a network is built from guesses."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(InvalidInputError, match='holds no config .* name the config'):
            init_model(kept(0))
