"""What a wrong command line prints."""

import pytest

from incseg.apis.command_line import ArgumentParser, whole_number


@pytest.fixture
def parser():
    made = ArgumentParser(prog='tool')
    made.add_argument('config')
    made.add_argument('--epochs', type=whole_number)
    return made


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['c.py', '--epochs', 'abc'], "argument --epochs: 'abc' is no whole number"),
        (['c.py', '--epochs', '1.5'], "argument --epochs: '1.5' is no whole number"),
        ([], 'the following arguments are required: config'),
        (['c.py', '--epoch', '3'], 'unrecognized arguments: --epoch 3'),
    ],
)
def test_one_line(parser, capsys, arguments, message):
    """If it fails, the mistake stands below ten lines of usage, or an abbreviation is taken."""
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f'error: {message} (--help lists all arguments)\n'


def test_right_arguments(parser):
    """If it fails, right arguments are refused."""
    assert parser.parse_args(['c.py', '--epochs', '-3']).epochs == -3
