"""Windows, flips and scales of a test: in the numbers, the titles, the ledgers and the hashes."""

import json

import pytest
import torch

from incseg.apis import Inferencer
from incseg.datasets import ShapesDataset
from incseg.engine import Experiment, evaluate_checkpoint, train_protocol
from incseg.engine.base_steps import BaseSteps
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.rows import row_titles
from incseg.evaluation.comparison.runs import RunResult

SLIDE = {'test_cfg.mode': 'slide', 'test_cfg.crop_size': 64, 'test_cfg.stride': 32}


@pytest.fixture
def trained(tiny, tmp_path):
    config = tiny(**{'data.test.size': 96})
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    return config, tmp_path / 'run/step_0/final.pth'


def test_numbers_say_their_test(trained, tiny, tmp_path, capsys):
    """If it fails, numbers of windows and of whole pictures look alike."""
    whole = evaluate_checkpoint(*trained, tmp_path / 'whole')
    assert 'test' not in whole and 'mIoU, %\n' in capsys.readouterr().out
    config = tiny(**{'data.test.size': 96}, **SLIDE, **{'test_cfg.flip': True})
    entry = evaluate_checkpoint(config, trained[1], tmp_path / 'slide')
    assert entry['test'] == 'windows of 64 every 32, flip'
    assert 'mIoU, %; windows of 64 every 32, flip\n' in capsys.readouterr().out
    assert json.loads((tmp_path / 'slide/test_step_0.json').read_text()) == entry
    covering = tiny(**{'data.test.size': 96}, **{**SLIDE, 'test_cfg.crop_size': 128})
    assert evaluate_checkpoint(covering, trained[1], tmp_path / 'one')['iou'] == whole['iou']


def test_runs_of_two_tests_are_two_rows(tiny, tmp_path):
    """A training evaluates by its ``test_cfg``; its ledger and the comparison say so."""
    runs = []
    for name, options in (('whole', {}), ('flip', {'test_cfg.flip': True})):
        config = tiny(**{'protocol.name': 'offline'}, **options)
        train_protocol(config, tmp_path / name, reuse=False)
        runs.append(RunResult.read(tmp_path / name / 'results.json'))
    assert 'test' not in runs[0].content and runs[1].content['test'] == 'flip'
    titles = row_titles(runs)
    assert titles[1].startswith(titles[0] + ', flip')
    assert 'flip' in (tmp_path / 'flip/results.md').read_text().splitlines()[0]


def test_base_steps_are_shared_by_equal_tests(tiny, tmp_path):
    """The score of a shared base step is that of its test; without ``test_cfg`` as ever."""
    places = []
    for options in ({}, {'test_cfg': None}, {'test_cfg.flip': True}):
        experiment = Experiment(tiny(**options))
        step = config_for_step(experiment, 0, 32, 'somewhere')
        test = config_for_test(experiment, 0, '')
        places.append(BaseSteps(tmp_path).place(experiment, step, test, 'data'))
    assert places[0] == places[1] != places[2]


def test_the_inferencer_takes_them(trained):
    """As an argument, which wins over the config's; a picture is then predicted in windows."""
    image = ShapesDataset(split='test', length=1, size=160).get_data_info(0)['img']
    predicted = []
    for test_cfg in (None, dict(mode='slide', crop_size=96, stride=32, flip=True)):
        segment = Inferencer(trained[1], fast=False, test_cfg=test_cfg)
        torch.manual_seed(0)  # the short training knows the background alone
        torch.nn.init.normal_(segment.model.decode_head.classifier.convs[0].weight)
        predicted.append(segment(image)[0].pred_sem_seg.data)
    whole, flip = predicted
    assert whole.shape == flip.shape and whole.dtype == flip.dtype
    assert not torch.equal(whole, flip) and (whole == flip).float().mean() > 0.5
    with pytest.raises(InvalidInputError, match='test_cfg.crop_size is 9, expected'):
        Inferencer(trained[1], test_cfg=dict(mode='slide', crop_size=9))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'test_cfg.stride': 32}, "test_cfg.stride is 32, expected None, or mode='slide'"),
        ({**SLIDE, 'test_cfg.stride': 33}, 'test_cfg.stride is 33, expected a multiple of 32'),
        ({'test_cfg.flips': True}, "unknown key 'test_cfg.flips'.*did you mean 'test_cfg.flip'"),
        ({'test_cfg': 'slide'}, "test_cfg is 'slide', expected a dict"),
    ],
)
def test_checked_like_every_key(tiny, options, message):
    """If it fails, a mistake is told only after the training."""
    with pytest.raises(InvalidInputError, match=message):
        tiny(**options)
