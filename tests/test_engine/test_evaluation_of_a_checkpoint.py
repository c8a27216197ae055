"""A saved step is evaluated to the numbers of its training."""

import json

import pytest
import torch

from incseg.engine import Experiment, evaluate, train_protocol
from incseg.engine import evaluate_checkpoint as run_test
from incseg.engine.recipe.network import model_config
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS


def row(text, k):
    """The cells of step k's row in a printed table."""
    line = next(line for line in text.splitlines() if line.startswith(f'| {k} '))
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_reproduces_training_exactly(tiny, tmp_path, capsys):
    """The saved network gives the very numbers of the ledger, forgetting included."""
    ledger = train_protocol(tiny(), tmp_path / 'run', reuse=False)
    for trained in ledger.steps:
        k = trained['step']
        capsys.readouterr()
        entry = run_test(  # another method's config has the same network; the title is the truth
            tiny('ft'),
            tmp_path / f'run/step_{k}/final.pth',
            tmp_path / 'test',
            show_dir=tmp_path / 'shown' if k == 2 else None,
        )
        for key in ('iou', 'accuracy', 'forgetting', 'mib', 'plop', 'wilson'):
            assert entry[key] == trained[key], f'step {k}: {key}'
        assert json.loads((tmp_path / f'test/test_step_{k}.json').read_text()) == entry
        printed = capsys.readouterr().out
        assert row(printed, k) == row(ledger.table(), k)
        assert 'mib on shapes' in printed
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 6, 'a picture per test image'


def test_checkpoint_of_another_protocol(tiny, tmp_path):
    """Testing under another class order would give plausible, wrong numbers."""
    train_protocol(tiny(), tmp_path / 'run', [0], reuse=False)
    other = tiny(**{'protocol.class_order': [2, 1, 3, 4, 5, 6]})
    with pytest.raises(InvalidInputError, match='of another protocol'):
        run_test(other, tmp_path / 'run/step_0/final.pth', tmp_path / 'test')


def test_equals_a_plain_loop(tiny, tmp_path):
    """The Runner, its loader and the metric must count what a bare loop over the images counts."""
    experiment = Experiment(tiny(bisenet=True, num_workers=1))
    torch.manual_seed(0)
    model = MODELS.build(model_config(experiment, 1)).eval()
    with torch.no_grad():  # spread the predictions over the classes
        for parameter in model.decode_head.classifier.parameters():
            parameter.normal_(std=1.0)
    metrics = evaluate(experiment, 1, dict(state_dict=model.state_dict()), 'memory', str(tmp_path))

    from incseg.engine.recipe.data import dataset_config

    dataset = DATASETS.build(dataset_config(experiment, 1, 'test'))
    counts = torch.zeros(6, 6, dtype=torch.int64)
    for i in range(len(dataset)):
        sample = dataset[i]
        with torch.no_grad():
            [result] = model.test_step(
                dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
            )
        truth = sample['data_samples'].gt_sem_seg.data[0]
        for t, p in zip(truth.flatten().tolist(), result.pred_sem_seg.data.flatten().tolist()):
            if t != 255:
                counts[t, p] += 1
    assert int((counts.sum(0) > 0).sum()) > 1, 'the predictions are not all one class'
    hit = counts.diag().double()
    iou = 100 * hit / (counts.sum(0) + counts.sum(1) - hit)
    assert list(metrics['iou']) == experiment.classes_at(1)
    assert torch.allclose(torch.tensor(list(metrics['iou'].values())).double(), iou)
    assert abs(metrics['accuracy'] - float(100 * hit.sum() / counts.sum())) < 1e-9
