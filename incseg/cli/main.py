"""The console command ``incseg``, and the table of its sub-commands.

A sub-command is a function of this folder with a line in :data:`COMMANDS`.  It gets a parser,
adds its arguments, reads the command line, and does the work by calling the library.  The first
lines of its docstring are its help.  Whatever needs torch is imported inside of it, so that
``incseg --help`` answers at once.
"""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from incseg import __version__
from incseg.cli.arguments import ArgumentParser
from incseg.cli.errors import FROM_CHECKPOINT, command_line
from incseg.utils.rules import similar


class Command(NamedTuple):
    """A sub-command.

    Attributes:
        place: Its function in this folder, ``'module.function'``.
        after_interrupt: The advice for a run that Ctrl-C has stopped.
    """

    place: str
    after_interrupt: str = FROM_CHECKPOINT


#: the sub-commands by name, in the groups of the help
GROUPS: dict[str, dict[str, Command]] = {
    'train and use': {
        'train': Command('training.train'),
        'test': Command('training.test'),
        'predict': Command('models.predict', '--force starts again'),
        'teach': Command('models.teach'),
        'import': Command('models.import_network', 'nothing was written'),
        'init': Command('data.init', 'nothing was written'),
        'list': Command('listing.list_parts'),
    },
    'several runs': {
        'matrix': Command('comparing.matrix'),
        'compare': Command('comparing.compare_runs', 'start it again'),
        'show-runs': Command('comparing.show_runs', 'start it again'),
    },
    'image-level labels': {
        'seam': Command('weak.seam'),
        'affinity': Command('weak.affinity', 'nothing was written: it has to start anew'),
        'make-pseudo-labels': Command(
            'weak.make_pseudo_labels', '--resume keeps the whole files and makes the others'
        ),
        'eval-pseudo-labels': Command('weak.eval_pseudo_labels', 'start it again'),
        'show-pseudo-labels': Command('weak.show_pseudo_labels', 'start it again'),
    },
    'data sets and weights': {
        'prepare-voc-aug': Command('data.prepare_voc_aug', 'the same command goes on'),
        'paint-coco-masks': Command('data.paint_masks', 'the same command goes on'),
        'convert-resnet38-params': Command('models.convert_params', 'start it again'),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``incseg``: a sub-command, or the help.

    Args:
        arguments: The arguments; None for those of the command line.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name, *rest = arguments or ['--help']
    if name in ('-h', '--help', 'help'):
        command_line(lambda: print(overview()))
    elif name == '--version':
        print(f'incseg {__version__}')
    elif name in COMMANDS:
        run(name, rest, f'incseg {name}')
    else:
        near = similar(name, COMMANDS)
        hint = '' if near is None else f'; did you mean {near!r}?'
        print(
            f'error: {name!r} is no command{hint} (incseg --help lists all commands)',
            file=sys.stderr,
        )
        sys.exit(2)


def run(name: str, arguments: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Run a sub-command.

    Args:
        name: Its name, ``'train'``.
        arguments: Its arguments; None for those of the command line.
        prog: How the user calls it, as the help shows it; None for the name of the file.
    """
    # read when torch is loaded: its threads sleep while they wait, and give up a core that is
    # wanted
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    command = COMMANDS[name]
    function = function_of(command)
    parser = ArgumentParser(prog=prog, description=help_of(function))
    given = sys.argv[1:] if arguments is None else list(arguments)
    command_line(lambda: function(parser, given), command.after_interrupt)


def function_of(command: Command) -> Callable[[ArgumentParser, Sequence[str]], None]:
    """Return the function of a sub-command."""
    module, _, function = command.place.partition('.')
    return getattr(import_module(f'incseg.cli.{module}'), function)


def help_of(function: Callable) -> str:
    """Return the text of a docstring before its arguments."""
    return (inspect.getdoc(function) or '').partition('\n\nArgs:')[0]


def overview() -> str:
    """Return the help: every sub-command with a line, in groups."""
    width = max(map(len, COMMANDS)) + 2
    lines = [
        'usage: incseg COMMAND [arguments]',
        '',
        'Incremental semantic segmentation: learn new classes without forgetting the old ones.',
    ]
    for title, group in GROUPS.items():
        lines += ['', f'{title}:']
        for name, command in group.items():
            lines.append(f'  {name:{width}}{help_of(function_of(command)).splitlines()[0]}')
    return '\n'.join(
        [
            *lines,
            '',
            'incseg COMMAND --help lists the arguments of a command; incseg --version says the '
            'version.',
        ]
    )
