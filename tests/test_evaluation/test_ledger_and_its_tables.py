"""The ledger of a run and the tables that are printed from it."""

import errno
import json
from pathlib import Path

import pytest

from incseg.errors import InvalidInputError, SaveError
from incseg.evaluation import Ledger
from incseg.evaluation.report import class_table, number, summary

HEADER = dict(
    config='configs/x.py',
    method='mib',
    seed=1,
    protocol=dict(
        name='1-1',
        dataset='toy',
        setting='overlap',
        steps=[[1], [2]],
        classes=['background', 'a', 'b'],
    ),
)


def ledger():
    result = Ledger(dict(HEADER), ['a'], ['b'])
    result.add(
        0, dict(iou={'background': 90.0, 'a': 80.0}, accuracy=95.0), [], train_images=4, seconds=1.5
    )
    result.add(
        1,
        dict(iou={'background': 70.0, 'a': 50.0, 'b': None}, accuracy=None),
        ['a'],
        train_images=3,
        seconds=0.0,
        reused_from='x',
    )
    return result


def test_file_is_the_contract(tmp_path):
    """Other people's scripts read these keys; null stands for what does not exist."""
    ledger().write(tmp_path)
    content = json.loads((tmp_path / 'results.json').read_text())
    keys = ['config', 'method', 'seed', 'protocol', 'steps', 'final', 'format', 'digest']
    assert list(content) == keys
    first, last = content['steps']
    assert first == dict(
        step=0,
        train_images=4,
        seconds=1.5,
        accuracy=95.0,
        iou={'background': 90.0, 'a': 80.0},
        forgetting=None,
        mib=dict(base=80.0, added=None, all=80.0),
        plop=dict(base=85.0, added=None, all=85.0),
        wilson=dict(base=80.0, added=None, all=85.0),
    )
    assert last['forgetting'] == 30.0
    assert last['accuracy'] is None and last['iou']['b'] is None
    assert last['reused_from'] == 'x'
    assert content['final'] == last['mib'] == dict(base=50.0, added=None, all=50.0)
    assert 'NaN' not in (tmp_path / 'results.json').read_text()
    assert '| 1    | b ' in (tmp_path / 'results.md').read_text()


def test_a_step_that_is_evaluated_again_keeps_its_place():
    """If it fails, the entry of a middle step that was lost takes the later ones with it."""
    book = ledger()
    book.add(
        0, dict(iou={'background': 1.0, 'a': 1.0}, accuracy=1.0), [], train_images=1, seconds=1.0
    )
    assert [entry['step'] for entry in book.steps] == [0, 1]
    assert book.step(0)['accuracy'] == 1.0


def test_nothing_half_written(tmp_path, monkeypatch):
    """When the disk is full the old ledger stays and no temporary file is left."""
    book = ledger()
    book.write(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    def full(path, content):
        with open(path, 'wb') as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(SaveError, match=r"cannot write .*results.json': No space left on device"):
        book.write(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize('text', ['{}', '[]', '{"steps": []}'])
def test_something_else_for_a_ledger(tmp_path, text):
    """A file that is no ledger is neither taken for an empty run nor overwritten."""
    (tmp_path / 'results.json').write_text(text)
    with pytest.raises(InvalidInputError, match='is not a ledger: '):
        Ledger.read(tmp_path)


def test_damaged_ledger_is_named(tmp_path):
    """A cut file must not look like an empty run."""
    (tmp_path / 'results.json').write_text('{"config": ')
    with pytest.raises(InvalidInputError, match=r'results\.json is not a ledger'):
        Ledger.read(tmp_path)
    assert Ledger.read(tmp_path / 'elsewhere') is None


def test_unreadable_ledger_is_named(tmp_path, monkeypatch):
    """Another user's file: one line, no traceback."""
    (tmp_path / 'results.json').touch()

    def refuse(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(type(tmp_path), 'read_bytes', refuse)
    with pytest.raises(InvalidInputError, match=r'results\.json cannot be read: Permission denied'):
        Ledger.read(tmp_path)


def test_table_has_one_decimal_and_dashes():
    """The table that ends a run: numbers with one decimal, a dash for what does not exist."""
    table = ledger().table()
    assert 'mib on toy 1-1 overlap' in table
    row = next(line for line in table.splitlines() if line.startswith('| 1 '))
    assert [cell.strip() for cell in row.strip('|').split('|')] == [
        '1',
        'b',
        '50.0',
        '-',
        '50.0',
        '60.0',
        '60.0',
        '-',
        '30.0',
    ]


def test_numbers():
    """One decimal everywhere; a dash where there is no number, and 0.0 where there is one."""
    assert [number(value) for value in (None, 0.0, 12.345, 100)] == ['-', '0.0', '12.3', '100.0']


def test_summary_of_many_names():
    """Fifteen class names must not burst the table."""
    assert summary(['a', 'b', 'c']) == 'a, b, c'
    assert summary(['a', 'b', 'c', 'd']) == 'a … d (4)'


def test_class_table():
    """Per-class IoU is what users beg for: a row per class, a column per step, in both files'
    forms and in what is printed."""
    text = """IoU of each class after each step, %
+------------+--------+--------+
| class      | step 0 | step 1 |
+------------+--------+--------+
| background |   90.0 |   70.0 |
| a          |   80.0 |   50.0 |
| b          |      - |      - |
+------------+--------+--------+"""
    assert ledger().class_table() == text
    assert ledger().tables() == f'{text}\n{ledger().table()}'
    assert '| a          | 80.0   | 50.0   |' in class_table(ledger().to_dict(), markdown=True)


def test_an_entry_is_found_by_its_step():
    """If it fails, a finished step is trained again on every resume."""
    book = ledger()
    assert book.step(1) is book.steps[1] and book.step(2) is None


def test_files_of_a_ledger(tmp_path):
    """If it fails, results.md is no Markdown, or a line of results.json is the whole file."""
    ledger().write(tmp_path)
    page = (tmp_path / 'results.md').read_text().splitlines()
    assert page[1] == '' and set(page[3]) <= set('|:-')
    assert '| a          | 80.0   | 50.0   |' in page, 'and the IoU of each class'
    assert (tmp_path / 'results.json').read_text().splitlines()[1].startswith(' "config"')


def test_numbers_stand_below_each_other():
    """If it fails, decimals of a column cannot be compared by eye."""
    lines = [line for line in ledger().table().splitlines() if line.startswith('| ')]
    assert lines[1].split('|')[3:6] == [' 80.0 ', '     - ', ' 80.0 ']
