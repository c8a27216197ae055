import json
import re
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import train_protocol
from incseg.engine.base_steps import BaseSteps
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.registry import HOOKS, MODELS
from incseg.utils import locks
from incseg.utils.files import read_json, write_json


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module()
class StopAt(Hook):
    """Interrupts the step with a given number of outputs after some iterations."""

    when = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.when == (runner.model.decode_head.classifier.num_outputs, batch_idx + 1):
            raise PowerCutError


@MODELS.register_module()
class BrokenAtFour(torch.nn.Module):
    """A loss that is NaN the fourth time it is asked."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, logits, target, *, num_old, ignore_index):
        self.calls += 1
        return logits.mean() * (float('nan') if self.calls == 4 else 1.0)


def weights(work_dir, k):
    return read_step_checkpoint(work_dir / f'step_{k}' / 'final.pth')['state_dict']


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def comparable(ledger):
    return [
        {key: value for key, value in entry.items() if key not in ('seconds', 'reused_from')}
        for entry in ledger.steps
    ]


def test_a_whole_run(tiny, tmp_path, capsys):
    """Every file and key that other people's scripts rely on, after one command."""
    ledger = train_protocol(tiny(), tmp_path / 'run', reuse=False)
    content = json.loads((tmp_path / 'run' / 'results.json').read_text())
    assert content['config'] == 'configs/mib/bisenet_r18_shapes_4-1.py'
    assert (content['method'], content['seed']) == ('mib', 42)
    assert content['protocol'] == dict(
        name='4-1',
        dataset='shapes',
        setting='overlap',
        steps=[[1, 2, 3, 4], [5], [6]],
        classes=['background', 'disc', 'square', 'triangle', 'ring', 'cross', 'star'],
    )
    assert content['steps'] == ledger.steps
    assert [entry['step'] for entry in content['steps']] == [0, 1, 2]
    assert list(content['steps'][1]['iou']) == content['protocol']['classes'][:6]
    assert content['final'] == content['steps'][-1]['mib']
    assert all(entry['seconds'] > 0 for entry in content['steps'])
    meta = torch.load(tmp_path / 'run/step_1/final.pth', weights_only=True)['meta']
    assert meta['step'] == 1 and meta['method'] == 'mib'
    assert meta['protocol'] == content['protocol']
    assert meta['classes'] == content['protocol']['classes'][:6]
    assert len(meta['palette']) == 6
    assert not list((tmp_path / 'run').rglob('resume.pth')), 'nothing to resume is left'
    assert not list((tmp_path / 'run').rglob('*.tmp'))
    assert (tmp_path / 'run' / 'results.md').read_text().count('|') > 20
    out = capsys.readouterr().out
    assert 'mib on shapes 4-1 overlap' in out


def test_interrupted_equals_uninterrupted(tiny, tmp_path, capsys):
    """Same weights and numbers, bit for bit, when a step was cut off and resumed.

    Data order, augmentation, dropout, optimiser, schedule, teacher and the
    initialisation of the new classifier all have to be where they were.  The contract of
    methods (``tests/common``) interrupts every method.
    """
    config = tiny('mib', epochs=2)
    config.custom_hooks = dict(stop=dict(type='StopAt'))
    straight = train_protocol(config, tmp_path / 'a', reuse=False)
    for outputs, iteration in ((5, 5), (6, 3)):
        StopAt.when = (outputs, iteration)
        with pytest.raises(PowerCutError):
            train_protocol(config, tmp_path / 'b', reuse=False, resume=True)
        saved = torch.load(tmp_path / f'b/step_{outputs - 5}/resume.pth', weights_only=True)
        assert saved['meta']['iter'] == iteration - 1, 'saved every second iteration'
    StopAt.when = None
    resumed = train_protocol(config, tmp_path / 'b', reuse=False, resume=True)
    for k in range(3):
        assert same(weights(tmp_path / 'a', k), weights(tmp_path / 'b', k)), f'step {k}'
    assert comparable(straight) == comparable(resumed)
    assert 'dataset metainfo' not in capsys.readouterr().out, 'a warning about nothing'


def test_resume_of_a_finished_run_changes_nothing(tiny, tmp_path, capsys):
    """--resume on a complete run trains nothing, keeps the ledger and shows the table."""
    config = tiny(**{'protocol.name': '5-1'})
    first = train_protocol(config, tmp_path / 'run', reuse=False)
    stamp = (tmp_path / 'run/step_1/final.pth').stat().st_mtime_ns
    capsys.readouterr()
    again = train_protocol(config, tmp_path / 'run', resume=True, reuse=False)
    assert again.steps == first.steps
    assert capsys.readouterr().out.strip() == first.tables()
    assert (tmp_path / 'run/step_1/final.pth').stat().st_mtime_ns == stamp


def test_trained_but_not_evaluated(tiny, tmp_path):
    """Cut off between the last save and the ledger: resuming evaluates, without training."""
    config = tiny(**{'protocol.name': '5-1'})
    first = train_protocol(config, tmp_path / 'run', reuse=False)
    content = read_json(tmp_path / 'run/results.json')
    write_json(tmp_path / 'run/results.json', dict(content, steps=content['steps'][:-1]))
    stamp = (tmp_path / 'run/step_1/final.pth').stat().st_mtime_ns
    again = train_protocol(config, tmp_path / 'run', resume=True, reuse=False)
    assert again.steps == first.steps
    assert (tmp_path / 'run/step_1/final.pth').stat().st_mtime_ns == stamp


def test_forgetting_survives_a_lost_ledger(tiny, tmp_path):
    """Step by step without a ledger in between: forgetting is still measured."""
    whole = train_protocol(tiny(**{'protocol.name': '5-1'}), tmp_path / 'a', reuse=False)
    config = tiny(**{'protocol.name': '5-1'})
    train_protocol(config, tmp_path / 'b', [0], reuse=False)
    (tmp_path / 'b/results.json').unlink()
    parts = train_protocol(config, tmp_path / 'b', [1], reuse=False)
    assert parts.steps[0]['forgetting'] == whole.steps[1]['forgetting'] is not None


def test_a_store_that_cannot_be_written_costs_nothing(tiny, tmp_path):
    """The run has its results; that they cannot be shared is a warning."""
    (tmp_path / 'taken').touch()
    config = tiny(base_steps_dir=str(tmp_path / 'taken'), **{'protocol.name': 'offline'})
    with pytest.warns(UserWarning, match='cannot be shared'):
        ledger = train_protocol(config, tmp_path / 'run')
    assert (tmp_path / 'run/results.json').is_file() and len(ledger.steps) == 1


def test_many_steps_leave_nothing_open(tiny, tmp_path):
    """A 100-step protocol must not run out of file descriptors or keep old networks."""
    import gc
    import os

    from mmengine.logging import MessageHub

    from incseg.models import EncoderDecoder

    def counts():
        gc.collect()
        networks = sum(isinstance(item, EncoderDecoder) for item in gc.get_objects())
        return len(os.listdir('/proc/self/fd')), networks, len(MessageHub._instance_dict)

    config = tiny(**{'protocol.name': '3-1', 'data.train.length': 8, 'data.test.length': 2})
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    before = counts()
    train_protocol(config, tmp_path / 'run', [1, 2, 3], reuse=False)
    assert counts() == before


def test_same_seed_same_result_whatever_the_workers(tiny, tmp_path):
    """Determinism: the number of loader processes must not change a single bit."""
    for workers in (0, 2):
        train_protocol(
            tiny(num_workers=workers, **{'protocol.name': '5-1'}),
            tmp_path / f'{workers}',
            [0],
            reuse=False,
        )
    train_protocol(tiny(seed=7, **{'protocol.name': '5-1'}), tmp_path / 'other', [0], reuse=False)
    assert same(weights(tmp_path / '0', 0), weights(tmp_path / '2', 0))
    assert not same(weights(tmp_path / '0', 0), weights(tmp_path / 'other', 0))


def test_methods_and_protocols_share_the_base_step(tiny, tmp_path):
    """FT takes MiB's step 0, 4-1 takes 4-2's; another learning rate or class order does not."""
    train_protocol(tiny('mib'), tmp_path / 'mib', [0])
    ledger = train_protocol(tiny('ft', **{'protocol.name': '4-2'}), tmp_path / 'ft')
    entry = ledger.steps[0]
    assert entry['seconds'] == 0 and str(tmp_path / 'base_steps') in entry['reused_from']
    assert 'reused_from' not in ledger.steps[1]
    meta = read_step_checkpoint(tmp_path / 'ft/step_0/final.pth')['meta']
    assert meta['method'] == 'ft' and meta['protocol']['name'] == '4-2'
    assert same(weights(tmp_path / 'mib', 0), weights(tmp_path / 'ft', 0))
    for name, options in {
        'lr': {'schedule.lr.base': 0.01},
        'seed': {'seed': 1},
        'order': {'protocol.class_order': [2, 1, 3, 4, 5, 6]},
    }.items():
        ledger = train_protocol(tiny('ft', **options), tmp_path / name, [0])
        assert 'reused_from' not in ledger.steps[0], name
    ledger = train_protocol(tiny('ft'), tmp_path / 'fresh', [0], reuse=False)
    assert 'reused_from' not in ledger.steps[0]
    ledger = train_protocol(
        tiny('ft', **{'schedule.lr.added': 0.5, 'num_workers': 1}), tmp_path / 'later', [0]
    )
    assert 'reused_from' in ledger.steps[0], 'what shapes later steps alone is not in the hash'


def test_two_runs_at_once_train_one_base_step(tiny, tmp_path, monkeypatch):
    """If it fails, runs on two devices train the same network twice, for hours."""
    train_protocol(tiny('mib'), tmp_path / 'first', [0])
    [place] = (tmp_path / 'base_steps').iterdir()
    place.rename(tmp_path / 'not_yet')
    training = BaseSteps.one_training(place)
    training.__enter__()
    waits = []

    def end_the_other(seconds):
        waits.append(seconds)
        (tmp_path / 'not_yet').rename(place)
        training.__exit__(None, None, None)

    clock = SimpleNamespace(sleep=end_the_other, monotonic=time.monotonic)
    monkeypatch.setattr(locks, 'time', clock)
    ledger = train_protocol(tiny('ft'), tmp_path / 'second', [0])
    assert len(waits) == 1 and ledger.steps[0]['reused_from'] == str(place)
    assert [*(tmp_path / 'base_steps').iterdir()] == [place], 'no lock is left'


def test_joint_reports_by_the_protocols_boundary(tiny, tmp_path):
    """Joint trains one step, and still has base and added columns; 4-1 and 5-1 are one training."""
    ledger = train_protocol(tiny('joint'), tmp_path / 'joint')
    assert len(ledger.steps) == 1
    entry = ledger.steps[0]
    assert entry['train_images'] == 32, 'all images'
    iou = list(entry['iou'].values())
    assert len(iou) == 7
    assert entry['mib']['base'] == pytest.approx(sum(iou[1:5]) / 4)
    assert entry['mib']['added'] == pytest.approx(sum(iou[5:]) / 2)
    other = train_protocol(tiny('joint', **{'protocol.name': '5-1'}), tmp_path / 'other')
    assert 'reused_from' in other.steps[0]
    assert other.steps[0]['mib']['added'] == pytest.approx(iou[6])


def test_steps_one_by_one_equal_all_at_once(tiny, tmp_path):
    """--steps 0, then --steps 1, is the run in one go."""
    whole = train_protocol(tiny(**{'protocol.name': '5-1'}), tmp_path / 'a', reuse=False)
    train_protocol(tiny(**{'protocol.name': '5-1'}), tmp_path / 'b', [0], reuse=False)
    parts = train_protocol(tiny(**{'protocol.name': '5-1'}), tmp_path / 'b', [1], reuse=False)
    assert comparable(parts) == comparable(whole)
    assert same(weights(tmp_path / 'a', 1), weights(tmp_path / 'b', 1))


def test_step_out_of_range(tiny, tmp_path):
    """--steps 3 of a protocol with steps 0 to 2."""
    with pytest.raises(InvalidInputError, match='--steps is 3, expected 0 to 2'):
        train_protocol(tiny(), tmp_path / 'run', [3])
    with pytest.raises(InvalidInputError, match='--steps is -1, expected'):
        train_protocol(tiny(), tmp_path / 'run', [-1])


def test_a_smaller_last_step_is_told(tiny, tmp_path, capsys):
    """If it fails, 5-3 on six classes passes for a protocol with steps of three."""
    train_protocol(tiny('ft', **{'protocol.name': '5-3'}), tmp_path / 'a', [0], reuse=False)
    assert '5-3 of 6 classes: the last step has 1, what is left' in capsys.readouterr().out
    train_protocol(tiny('ft', **{'protocol.name': '4-2'}), tmp_path / 'b', [0], reuse=False)
    assert 'what is left' not in capsys.readouterr().out


def test_empty_step_before_anything_is_trained(tiny, tmp_path):
    """Where every image shows a future class, disjoint leaves a step empty: said at once."""
    config = tiny(
        **{'protocol.name': '1-1', 'protocol.setting': 'disjoint', 'data.train.length': 2}
    )
    with pytest.raises(InvalidInputError, match=r'step \d has no training image'):
        train_protocol(config, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_loss_that_is_not_finite(tiny, tmp_path):
    """Names the loss, the step and the iteration; the last checkpoint is from before it."""
    config = tiny()
    config.method.loss_decode = dict(type='BrokenAtFour')
    config.model.auxiliary_head = dict(aux_16=None, aux_32=None)
    with pytest.raises(
        NonFiniteLossError, match=r'decode_head\.loss is nan at step 0, iteration 4'
    ):
        train_protocol(config, tmp_path / 'run', reuse=False)
    saved = torch.load(tmp_path / 'run/step_0/resume.pth', weights_only=True)
    assert saved['meta']['iter'] == 2
    assert all(value.isfinite().all() for value in saved['state_dict'].values())


def test_the_log_is_kept(tiny, tmp_path):
    """The Runner's own log of a step lies beside its checkpoint, scalars included."""
    train_protocol(tiny(**{'protocol.name': 'offline'}), tmp_path / 'run', reuse=False)
    logs = list((tmp_path / 'run/step_0').rglob('*.log'))
    assert logs and any('Iter(train)' in log.read_text() for log in logs)
    scalars = [file.read_text() for file in (tmp_path / 'run/step_0').rglob('scalars.json')]
    assert any(re.search('"decode_head.loss": [0-9.]+', text) for text in scalars)
