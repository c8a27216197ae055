import pytest

from incseg.engine.work_dir import check_run_config, write_run_config
from incseg.errors import InvalidInputError


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
