"""Arguments that several commands share, and the parser that reports a mistake in one line.

What needs torch is imported when it is used: ``--help`` answers at once.
"""

import argparse
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from incseg.renamed import renamed_name
from incseg.utils.rules import similar


def add_config_arguments(
    parser: argparse.ArgumentParser,
    overrides: str = 'override keys of the config',
    model: bool = True,
) -> None:
    """Add ``--data-root``, ``--model`` and ``--cfg-options``; :func:`options_of` reads them.

    Args:
        parser: The parser of the command.
        overrides: What ``--cfg-options`` does, as the help shows it.
        model: Whether there is ``--model``: a command that is given a network has no other.
    """
    parser.add_argument('--data-root', metavar='DIR', help="the data set's folder")
    if model:
        parser.add_argument(
            '--model',
            metavar='NAME',
            help='another network: a file of configs/_base_/models, such as deeplabv3_lite0, or '
            'the path of such a base',
        )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        metavar='KEY=VALUE',
        default=[],
        help=f'{overrides}, for instance batch_size=8 protocol.setting=disjoint',
    )


def options_of(args: argparse.Namespace, named: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the overrides of a config, by dotted key, from a command line.

    Args:
        args: The parsed options of :func:`add_config_arguments`.
        named: Values of a command's own options, which win over ``--cfg-options``;
            None where an option is absent.

    Raises:
        InvalidInputError: An option is not of the form ``key=value``.
    """
    from incseg.apis.config.loading import parse_options
    from incseg.evaluation.run_settings import MODEL_BASE

    named = {'data_root': args.data_root, MODEL_BASE: args.model, **(named or {})}
    present = {key: value for key, value in named.items() if value is not None}
    return {**parse_options(args.cfg_options), **present}


def add_common_arguments(
    parser: argparse.ArgumentParser, work_dir: str = 'work_dirs/<config stem>'
) -> None:
    """Add the options that ``incseg train``, ``incseg test`` and similar commands share.

    Args:
        parser: The parser of the command.
        work_dir: The default work dir, as the help shows it.
    """
    add_config_arguments(parser)
    parser.add_argument('--work-dir', metavar='DIR', help=f'default: {work_dir}')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def add_force_argument(
    parser: argparse.ArgumentParser, what: str = 'the output, if it is there already'
) -> None:
    """Add ``--force``, without which a command refuses to write over an earlier output.

    Args:
        parser: The parser of the command.
        what: What may be written over, as the help shows it.
    """
    parser.add_argument(
        '--force', action='store_true', help=f'write over {what}; an input is never written over'
    )


def add_rescan_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--rescan``, with which no index of classes that was made before is used."""

    class Rescan(argparse.Action):
        def __call__(self, *_: Any, **__: Any) -> None:
            from incseg.protocols.class_index import rescan_from_now

            rescan_from_now()

    parser.add_argument(
        '--rescan',
        action=Rescan,
        nargs=0,
        help='read all masks anew for the index of their classes, which is else taken from the '
        'cache where names, sizes and times of the masks are the same',
    )


def add_import_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that names modules to import, for parts that are not the library's."""
    parser.add_argument(
        '--import',
        dest='imports',
        action='append',
        metavar='MODULE',
        default=[],
        help='import a module with parts that a checkpoint needs; may be given several times',
    )


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that reports a mistake in one line, with exit status 2.

    Abbreviated options are refused: their meaning would change with every new
    option.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        unknown = re.fullmatch(r'unrecognized arguments: (-[^\s=]+).*', message, re.DOTALL)
        close = similar(unknown[1], self._option_string_actions) if unknown else None
        message += f'; did you mean {close}?' if close else ''
        bare = re.fullmatch(r'argument (?:-\w/)?(--[\w-]+)\S*: expected .*arguments?', message)
        action = self._option_string_actions.get(bare[1]) if bare else None
        if bare and action and isinstance(action.metavar, str):
            message += f', as in {bare[1]} {action.metavar}'
        self.exit(2, f'error: {message} (--help lists all arguments)\n')


def int_argument(text: str) -> int:
    """Return the whole number of an argument's text; argparse's ``type``.

    Raises:
        argparse.ArgumentTypeError: The text is no whole number.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number') from None


def __getattr__(name: str) -> Any:
    if name == 'whole_number':
        return renamed_name(f'{__name__}.{name}', 'int_argument', int_argument)
    if name in ('command_line', 'one_line', 'one_line_warning'):  # of apis.command_line
        from incseg.cli import errors

        return renamed_name(
            f'incseg.apis.command_line.{name}', f'incseg.cli.errors.{name}', getattr(errors, name)
        )
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
