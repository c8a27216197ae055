"""``incseg list``: every part of the library, with a line each."""

from pathlib import Path

import pytest
from mmengine.config import Config

from incseg.cli.main import main
from incseg.utils.library_configs import BASES, KINDS, config_names, describe_parts
from incseg.utils.repository import library_files

CONFIGS = library_files() / 'configs'


@pytest.mark.parametrize('kind', KINDS)
def test_every_part_has_a_line(kind, capsys):
    """If it fails, a part is not listed, or nobody learns what it is."""
    main(['list', kind])
    lines = capsys.readouterr().out.splitlines()[1:]
    parts = dict(line.strip().split('  ', 1) for line in lines)
    expected = (
        {path.stem for path in (CONFIGS / '_base_' / BASES[kind]).glob('*.py')}
        if kind in BASES
        else {
            path.relative_to(CONFIGS).with_suffix('').as_posix()
            for path in CONFIGS.glob('[!_]*/*.py')
        }
    )
    assert {*parts} == expected and all(len(text.strip()) > 5 for text in parts.values())
    assert max(map(len, lines)) < 120


def test_a_listed_config_is_described_by_its_parts():
    """If it fails, the list says another method, network or data set than a config has."""
    lines = describe_parts('configs')
    assert lines['mib/bisenet_r18_shapes_4-1'] == 'mib, bisenet_r18, shapes, 4-1'
    assert lines['mib_s/bisenet_r101_15-5'] == (
        'mib on image-level labels, bisenet_r101, voc, 15-5'
    )
    assert lines['parity/mib_15-1'].startswith('MiB as published')
    for name in config_names()[::7]:
        if not name.startswith('parity/'):
            config = Config.fromfile(CONFIGS / f'{name}.py')
            method = lines[name].partition(',')[0].partition(' ')[0]
            assert config['method']['name'].removesuffix('_s') == method
            assert lines[name].endswith(f', {config["protocol"]["name"]}')


def test_protocols_are_in_order_of_their_numbers():
    """If it fails, 10-1 stands before 3-1."""
    names = [*describe_parts('protocols')]
    assert (
        names[0] == '3-1' and names.index('15-1') < names.index('100-5') and names[-1] == 'offline'
    )


def test_without_a_kind_all_are_listed(capsys):
    """If it fails, a newcomer sees only some of what there is."""
    main(['list'])
    printed = capsys.readouterr().out
    assert all(f'{kind} (' in printed for kind in KINDS) and str(Path('mib')) in printed
