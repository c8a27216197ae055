"""The command that lists what the library has."""

from collections.abc import Sequence

from incseg.cli.arguments import ArgumentParser
from incseg.utils.library_configs import KINDS, describe_parts
from incseg.utils.repository import library_files

#: what follows the parts of a kind: how they are used
ADVICE = {
    'methods': '_base_/methods of a config; incseg init --method NAME',
    'networks': 'incseg train CONFIG --model NAME; incseg init --network NAME',
    'datasets': '_base_/data of a config; incseg train CONFIG --data-root DIR; your own folder: '
    'incseg init DIR',
    'protocols': 'any other one: incseg train CONFIG --cfg-options protocol.name=12-2',
    'configs': 'incseg train NAME',
}


def list_parts(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """List methods, networks, data sets, protocols and configs, with a line each.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument(
        'kind', nargs='?', choices=KINDS, help='only these parts; by default all of them'
    )
    args = parser.parse_args(arguments)
    kinds = KINDS if args.kind is None else (args.kind,)
    print('\n\n'.join(section(kind) for kind in kinds))


def section(kind: str) -> str:
    """Return the lines about the parts of one kind, below a title."""
    parts = describe_parts(kind)
    width = max(map(len, parts)) + 2
    lines = [f'  {name:{width}}{text}'.rstrip() for name, text in parts.items()]
    where = f'; files in {library_files() / "configs"}' if kind == 'configs' else ''
    return '\n'.join([f'{kind} ({ADVICE[kind]}{where}):', *lines])
