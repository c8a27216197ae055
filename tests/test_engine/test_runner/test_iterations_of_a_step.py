"""The iterations of a step, and what the terminal shows of them."""

from types import SimpleNamespace

from torch.utils.data import DataLoader

from incseg.datasets import StepBatchSampler
from incseg.engine import train_protocol
from incseg.engine.runner.step_runner import StepTrainLoop


def run(start):
    data = list(range(10))
    sampler = StepBatchSampler(
        SimpleNamespace(dataset=data), 2, num_iters=12, seed=3, rank=0, world_size=1
    )

    class Items:
        def __getitem__(self, item):
            loaded.append(item)
            return item[0]

        def __len__(self):
            return len(data)

    loaded, batches, hooks = [], [], []
    runner = SimpleNamespace(
        call_hook=lambda name, **kwargs: hooks.append((name, kwargs.get('batch_idx'))),
        model=SimpleNamespace(
            train=lambda: None,
            train_step=lambda batch, optim_wrapper: batches.append(batch.tolist()),
        ),
        optim_wrapper=None,
    )
    loop = StepTrainLoop(runner, DataLoader(Items(), batch_sampler=sampler), 12)
    loop._iter = start
    loop.run()
    return batches, loaded, hooks, loop


def test_starts_anywhere_without_decoding_what_came_before():
    """Resuming at iteration 7 serves batches 7 to 11 and touches no other image."""
    all_batches, _, hooks, loop = run(0)
    assert len(all_batches) == 12 and loop.iter == 12
    assert [name for name, _ in hooks[:3]] == [
        'before_train',
        'before_train_epoch',
        'before_train_iter',
    ]
    assert [name for name, _ in hooks[-2:]] == ['after_train_epoch', 'after_train']
    later, loaded, hooks, _ = run(7)
    assert later == all_batches[7:]
    assert len(loaded) == 10, '5 batches of 2'
    assert ('before_train_iter', 7) in hooks and ('before_train_iter', 6) not in hooks


def test_quiet_start(tiny, tmp_path, capsys):
    """The terminal shows the training, not pages of config and hooks; the log has all."""
    train_protocol(tiny(**{'protocol.name': 'offline'}), tmp_path / 'run', reuse=False)
    shown = capsys.readouterr().out
    assert 'Iter(train)' in shown
    for page in ('System environment', 'Hooks will be executed', 'Config:'):
        assert page not in shown
    logs = [log.read_text() for log in (tmp_path / 'run/step_0').rglob('*.log')]
    assert any('System environment' in log and 'Config:' in log for log in logs)
