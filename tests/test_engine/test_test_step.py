import json

import pytest

from incseg.engine import evaluate_checkpoint as run_test
from incseg.engine import train_protocol
from incseg.errors import InvalidInputError


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
