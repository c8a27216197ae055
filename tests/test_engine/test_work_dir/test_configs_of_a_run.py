"""A work dir goes on only as the run that it was started as."""

import pytest

from incseg.engine import train_protocol
from incseg.engine.work_dir import check_run_config, write_run_config
from incseg.errors import InvalidInputError, MissingFileError


def test_ledger_in_the_way(tiny, tmp_path):
    """A second run must not overwrite the first: the error names --resume."""
    config = tiny(**{'protocol.name': 'offline'})
    train_protocol(config, tmp_path / 'run', reuse=False)
    with pytest.raises(InvalidInputError, match='already holds the ledger of .*--resume'):
        train_protocol(config, tmp_path / 'run', reuse=False)
    with pytest.raises(InvalidInputError, match='epochs = 1, this config says 2'):
        train_protocol(
            tiny(epochs=2, **{'protocol.name': 'offline'}),
            tmp_path / 'run',
            resume=True,
            reuse=False,
        )
    with pytest.raises(InvalidInputError, match="method.name = 'mib', this config says 'ft'"):
        train_protocol(
            tiny('ft', **{'protocol.name': 'offline'}), tmp_path / 'run', resume=True, reuse=False
        )


def test_step_without_its_predecessor(tiny, tmp_path):
    """--steps 2 without step 1's checkpoint names the file, and leaves nothing behind."""
    with pytest.raises(MissingFileError, match=r'step 2 starts from step 1, but .*step_1/final'):
        train_protocol(tiny(), tmp_path / 'run', [2])
    assert not (tmp_path / 'run').exists()


def test_steps_with_a_gap(tiny, tmp_path):
    """Step 2 cannot follow a new step 0: the old step 1 grew from another one."""
    with pytest.raises(InvalidInputError, match=r'--steps \[0, 2\] leaves a step out'):
        train_protocol(tiny(), tmp_path / 'run', [0, 2])


def test_predecessor_of_another_protocol(tiny, tmp_path):
    """Going on from a checkpoint of another class order would mix up classes silently."""
    train_protocol(tiny(), tmp_path / 'run', [0], reuse=False)
    (tmp_path / 'run/results.json').unlink()
    (tmp_path / 'run/config.json').unlink()
    other = tiny(**{'protocol.class_order': [6, 2, 3, 4, 5, 1]})
    with pytest.raises(InvalidInputError, match='is of another protocol: its classes is'):
        train_protocol(other, tmp_path / 'run', [1])


def test_damaged_resume_file(tiny, tmp_path):
    """A cut resume.pth is named instead of a traceback from the depths of torch."""
    folder = tmp_path / 'run/step_0'
    folder.mkdir(parents=True)
    write_run_config(tiny(), tmp_path / 'run')
    (folder / 'resume.pth').write_bytes(b'PK' + bytes(100))
    with pytest.raises(InvalidInputError, match=r'resume\.pth is damaged, cut short or no'):
        train_protocol(tiny(), tmp_path / 'run', resume=True, reuse=False)


def test_same_config_may_resume(tiny, tmp_path):
    """Where the data lie and how many workers load them may change; nothing else."""
    write_run_config(tiny(), tmp_path)
    check_run_config(tiny(), tmp_path)
    check_run_config(tiny(num_workers=2, data_root='elsewhere'), tmp_path)
    check_run_config(tiny(**{'schedule.checkpoint_interval': 9}), tmp_path)
    check_run_config(tiny(), tmp_path / 'empty')


def test_another_config_is_refused(tiny, tmp_path):
    """The key and both values are named."""
    write_run_config(tiny(), tmp_path)
    with pytest.raises(InvalidInputError, match=r'started with batch_size = 8, .* says 16'):
        check_run_config(tiny(batch_size=16), tmp_path)
    with pytest.raises(InvalidInputError, match='method.distillation.logits.loss_weight'):
        check_run_config(tiny(**{'method.distillation.logits.loss_weight': 1.0}), tmp_path)


def test_what_was_meant_is_named_before_files(tmp_path):
    """Another path changes the file's digest, too; the path is what the user has typed."""
    write_run_config({'files': {'a.json': '1'}, 'path': 'a.json'}, tmp_path)
    with pytest.raises(InvalidInputError, match="was started with path = 'a.json', this config"):
        check_run_config({'files': {'b.json': '1'}, 'path': 'b.json'}, tmp_path)
    check_run_config({'files': {'a.json': '1'}, 'path': 'b.json'}, tmp_path, ignored={'path'})
