"""What a checkpoint is evaluated with: the settings of its training, then the user's."""

from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.apis.config.trained import load_trained_config, tell
from incseg.engine import Experiment
from incseg.engine.work_dir import write_run_config
from incseg.errors import InvalidInputError
from tests.conftest import edit_json

CONFIGS = Path(__file__).parents[3] / 'configs'
MIB = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'


@pytest.fixture
def trained(tmp_path):
    """A work dir as a training with options leaves it; returns its step 1's final.pth."""

    def make(**options):
        config = load_config(MIB, options)
        write_run_config(config, tmp_path / 'run')
        Experiment(config).new_ledger().write(tmp_path / 'run')
        return tmp_path / 'run/step_1/final.pth'

    return make


def test_options_need_not_be_repeated(trained):
    """If it fails, a network is tested with another width, scale or protocol than it was trained
    with, and its numbers are not those that training printed."""
    checkpoint = trained(
        width='wide',
        image_scale=0.5,
        epochs=3,
        **{'protocol.setting': 'disjoint', 'model.auxiliary_head': None},
    )
    config, notes = load_trained_config(MIB, {}, checkpoint)
    assert (config.width, config.image_scale, config.protocol.setting) == ('wide', 0.5, 'disjoint')
    assert config.model.auxiliary_head is None and config.epochs == 3
    assert Experiment(config).ledger_header()['config'] == 'configs/mib/bisenet_r18_shapes_4-1.py'
    [line] = notes
    assert line.startswith('as in run/config.json: image_scale = 0.5 (not 1.0), model.auxiliary')
    assert "protocol.setting = 'disjoint' (not 'overlap'), width = 'wide' (not 'narrow')" in line
    assert 'epochs' not in line, 'no evaluation depends on them'


def test_the_same_options_again(trained):
    """If it fails, a user who repeats them is told of differences that there are not."""
    options = dict(width='wide', epochs=3)
    config, notes = load_trained_config(MIB, options, trained(**options))
    assert config.width == 'wide' and notes == []


def test_the_user_has_the_last_word(trained):
    """If it fails, a network cannot be tested otherwise than training did, or it is not said."""
    checkpoint = trained(image_scale=0.5)
    config, notes = load_trained_config(MIB, {'image_scale': 0.25, 'num_workers': 3}, checkpoint)
    assert (config.image_scale, config.num_workers) == (0.25, 3)
    assert notes == ['other than in run/config.json: image_scale = 0.25 (not 0.5)']


@pytest.mark.parametrize(
    'options',
    [{'image_scale': 0.25}, {'data.test.split': 'train'}, {'data.test.length': 7}],
    ids=str,
)
def test_an_evaluation_of_another_kind_is_warned_of(trained, options):
    """If it fails, numbers of another test are taken for those of the training."""
    _, notes = load_trained_config(MIB, options, trained())
    [key] = options
    with pytest.warns(UserWarning, match=f'settings other than in .*{key} = .*without them'):
        tell(notes)


def test_data_that_were_moved_are_a_note(trained, tmp_path, capsys, recwarn):
    """If it fails, everybody whose data lie elsewhere learns to overlook the warning."""
    checkpoint, options = trained(), {'data_root': str(tmp_path), 'image_scale': 0.5}
    tell(load_trained_config(MIB, options, checkpoint)[1])
    assert capsys.readouterr().out.startswith('data elsewhere than in run/config.json: data_root =')
    [warning] = recwarn
    assert 'image_scale' in str(warning.message) and 'data_root' not in str(warning.message)


def test_data_that_are_elsewhere_now(trained, tmp_path):
    """If it fails, a work dir that was moved to another machine cannot be tested there."""
    checkpoint = trained(data_root=str(tmp_path))
    assert load_trained_config(MIB, {}, checkpoint)[0].data_root == str(tmp_path)
    checkpoint = trained(data_root=str(tmp_path / 'gone'))
    assert load_trained_config(MIB, {}, checkpoint)[0].data_root == load_config(MIB).data_root


@pytest.mark.parametrize('there', [True, False])
def test_a_second_data_set_that_is_elsewhere_now(tmp_path, there):
    """If it fails, the same happens to the second folder of COCO-to-VOC."""
    leaf = CONFIGS / 'wilson/bisenet_r101_coco-voc_60-20.py'
    kept = load_config(leaf, {'voc_root': str(tmp_path if there else tmp_path / 'gone')})
    write_run_config(kept, tmp_path / 'run')
    Experiment(kept).new_ledger().write(tmp_path / 'run')
    config, _ = load_trained_config(leaf, {}, tmp_path / 'run/step_0/final.pth')
    assert config.voc_root == (kept.voc_root if there else load_config(leaf).voc_root)


def test_another_config(trained):
    """If it fails, a checkpoint of another config changes what the user asked for; it is told."""
    checkpoint = trained(width='wide')
    config, notes = load_trained_config(CONFIGS / 'ft' / MIB.name, {}, checkpoint)
    assert config.width == 'narrow' and config.method.name == 'ft'
    assert notes == ["other than in run/config.json: width = 'narrow' (not 'wide')"]


def test_nothing_is_kept(tmp_path):
    """If it fails, a checkpoint without its work dir cannot be tested."""
    config, notes = load_trained_config(MIB, {'width': 'wide'}, tmp_path / 'final.pth')
    assert config.width == 'wide' and notes == []
    assert load_trained_config(MIB, {}, 'final.pth')[1] == []


def test_what_is_kept_does_not_fit(trained, tmp_path):
    """If it fails, settings of an older version end in a traceback, or a line without the file."""
    checkpoint = trained()
    edit_json(tmp_path / 'run/config.json', lambda config: config.update(eval_mode='half'))
    with pytest.raises(InvalidInputError, match="run/config.json, .* eval_mode is 'half'"):
        load_trained_config(MIB, {}, checkpoint)
