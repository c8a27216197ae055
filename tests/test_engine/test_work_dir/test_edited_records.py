"""What was edited, exchanged or lost in a work dir or a store is said in one line."""

import json
import shutil

import pytest

from incseg.apis import load_config
from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.toys import TOY_NETWORK
from tests.conftest import CONFIGS, TINY, edit_json


def toy(folder, **options):
    return load_config(
        CONFIGS / 'mib/bisenet_r18_shapes_4-1.py',
        {**TINY, **TOY_NETWORK, 'base_steps_dir': str(folder / 'base'), **options},
    )


@pytest.fixture(scope='module')
def two_steps(tmp_path_factory):
    """A run of steps 0 and 1 of three, with its shared base step, made once."""
    folder = tmp_path_factory.mktemp('two_steps')
    train_protocol(toy(folder), folder / 'run', [0, 1])
    return folder


@pytest.fixture
def folder(two_steps, tmp_path):
    return shutil.copytree(two_steps, tmp_path / 'copy')


EDITS = {
    'other numbers': lambda content: content['iou'].update(disc=99.0),
    'no class': lambda content: content.update(iou={}),
    'text': lambda content: content['iou'].update(disc='x'),
}


@pytest.mark.parametrize('change', EDITS.values(), ids=EDITS)
def test_a_record_without_its_digest(folder, change):
    """If it fails, who cuts the digest out of a record may write any number into it."""
    edit_json(folder / 'run/step_1/metrics.json', change)
    with pytest.raises(InvalidInputError, match='step_1/metrics.json'):
        train_protocol(toy(folder), folder / 'run', resume=True)


@pytest.mark.parametrize('change', EDITS.values(), ids=EDITS)
def test_a_base_step_without_its_digest(folder, change):
    """If it fails, a run reports the numbers that somebody wrote into the store."""
    [record] = (folder / 'base').glob('*/metrics.json')
    edit_json(record, change)
    with pytest.warns(UserWarning, match='is not used: .*metrics.json'):
        ledger = train_protocol(toy(folder), folder / 'other', [0])
    assert 'reused_from' not in ledger.steps[0]


def test_a_ledger_without_its_digest(folder):
    """If it fails, edited numbers stand in the table of the run that goes on."""
    edit_json(folder / 'run/results.json', lambda content: content['steps'][0].update(accuracy=99))
    with pytest.raises(InvalidInputError, match='results.json is damaged or was edited'):
        train_protocol(toy(folder), folder / 'run', resume=True)


def test_a_network_that_no_ledger_knows(folder):
    """If it fails, the network of a run that was killed before its ledger is replaced by a shared
    one; or that of another run is taken for it."""
    path = folder / 'run/step_0/final.pth'
    shutil.rmtree(folder / 'run/step_1')
    (folder / 'run/results.json').unlink()
    before = path.read_bytes()
    train_protocol(toy(folder), folder / 'run', [0], resume=True)
    assert path.read_bytes() == before
    train_protocol(toy(folder, seed=7), folder / 'other', [0], reuse=False)
    (folder / 'run/results.json').unlink()
    shutil.copy(folder / 'other/step_0/final.pth', path)
    with pytest.raises(InvalidInputError, match='seed of the network in .* is 7, expected 42'):
        train_protocol(toy(folder), folder / 'run', [0], resume=True)


def test_the_chain_of_networks(folder):
    """If it fails, a step stands beside a network that it was not trained from."""
    (folder / 'run/results.json').unlink()
    path = folder / 'run/step_0/final.pth'
    train_protocol(toy(folder, epochs=2), folder / 'other', [0], reuse=False)
    shutil.copy(folder / 'other/step_0/final.pth', path)
    with pytest.raises(InvalidInputError, match='was trained from another network than that of'):
        train_protocol(toy(folder), folder / 'run', resume=True)


def test_what_keep_removed_is_said(folder):
    """If it fails, who evaluates an old step reads only that there is no such file."""
    path = folder / 'run/step_0/final.pth'
    path.unlink()
    edit_json(folder / 'run/results.json', lambda content: content['steps'][0].update(kept=False))
    with pytest.raises(MissingFileError, match='step_0/final.pth is missing: schedule.keep remo'):
        _ = StepCheckpoint(path).meta


def test_an_empty_config(folder):
    """If it fails, a run with an emptied config is compared with nothing."""
    (folder / 'run/config.json').write_text(json.dumps({}))
    with pytest.raises(InvalidInputError, match='config.json is {}, expected the config of a run'):
        train_protocol(toy(folder), folder / 'run', resume=True)
