"""Commands about several runs: train them, compare their numbers, show their predictions."""

import sys
from collections.abc import Sequence
from pathlib import Path

from incseg.cli.arguments import (
    ArgumentParser,
    add_config_arguments,
    add_force_argument,
    add_import_argument,
    add_rescan_argument,
    int_argument,
    options_of,
)
from incseg.cli.cluster_arguments import add_cluster_arguments, cluster_of

#: names of incseg.evaluation.conventions, which needs torch
CONVENTIONS = ('mib', 'plop', 'wilson')


def compare_runs(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Put several runs into one table, with mean and spread over seeds.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='WORK_DIR',
        help='a work dir, a folder of work dirs, or a results.json; NAME=WORK_DIR names its row',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        default='comparison',
        help='where comparison.txt, .md, .csv and .png go, anew each time (default: comparison)',
    )
    parser.add_argument(
        '--convention',
        choices=CONVENTIONS,
        default='mib',
        help='where the background counts: nowhere, in base and all, or in all (default: mib)',
    )
    args = parser.parse_args(arguments)

    from incseg.evaluation.comparison.compare import compare

    print(compare(args.runs, args.out, args.convention))


def matrix(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Train configs by seeds, skip what is done, and end with the table of all.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='CONFIG',
        help='configs (files, or names of incseg list configs), and files of runs (.json, see '
        'docs/comparing.md)',
    )
    parser.add_argument(
        '--seeds', type=int_argument, nargs='+', metavar='N', help="default: the config's"
    )
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        default='work_dirs/matrix',
        help='holds a work dir for every run, and comparison/ (default: work_dirs/matrix)',
    )
    add_config_arguments(parser, "override keys of every config, and of the file's options")
    add_rescan_argument(parser)
    parser.add_argument('--epochs', type=int_argument, help='of every step of every run')
    parser.add_argument('--amp', action='store_true', help='bfloat16 autocast')
    parser.add_argument('--no-reuse', action='store_true', help='neither take nor share base steps')
    parser.add_argument(
        '--devices',
        metavar='0,1,…',
        help='CUDA devices, or cpu,cpu: each trains one run at a time (default: run by run)',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    parser.add_argument(
        '--nproc',
        type=int_argument,
        metavar='N',
        help='processes of each run, with --launcher pytorch',
    )
    parser.add_argument('--convention', choices=CONVENTIONS, default='mib')
    parser.add_argument('--dry-run', action='store_true', help='only print what would run')
    add_cluster_arguments(parser)
    args = parser.parse_args(arguments)

    from incseg.apis.run_list import plan_runs
    from incseg.engine.matrix.devices import Device, parse_devices
    from incseg.engine.matrix.run_matrix import run_matrix
    from incseg.errors import InvalidInputError

    if (args.launcher == 'pytorch') != (args.nproc is not None) or (args.nproc or 1) < 1:
        raise InvalidInputError(
            f'--nproc is {args.nproc}: --launcher pytorch needs a number of processes, '
            '--launcher none takes none'
        )
    if args.devices is not None and args.nproc is not None:
        raise InvalidInputError(
            f'--devices is {args.devices!r} and --nproc is {args.nproc}, expected one of them: '
            'with --devices a run has one device'
        )
    cluster = cluster_of(args)
    devices = [Device()] if args.devices is None else parse_devices(args.devices)
    options = options_of(args, {'epochs': args.epochs, 'schedule.amp': args.amp or None})
    folder = Path(args.work_dir)
    runs = plan_runs(args.runs, folder, args.seeds, options)
    try:
        failed = run_matrix(
            runs,
            folder,
            convention=args.convention,
            processes=args.nproc or 0,
            devices=devices,
            cluster=cluster,
            reuse=not args.no_reuse,
            dry_run=args.dry_run,
        )
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on where it stopped')
    sys.exit(1 if failed else 0)


def show_runs(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Draw test images with the predictions of several runs side by side.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument(
        'config',
        nargs='?',
        help="its test images are shown; by default those of the first run's training",
    )
    parser.add_argument('out', help='the picture to write')
    parser.add_argument(
        '--runs',
        nargs='+',
        required=True,
        metavar='TITLE=CHECKPOINT',
        help='final.pth of steps of one protocol, in the order of the columns; each predicts '
        'with the settings of its training',
    )
    parser.add_argument(
        '--images', type=int_argument, nargs='+', default=[0, 1, 2, 3], metavar='INDEX'
    )
    add_config_arguments(parser)
    add_force_argument(parser)
    add_import_argument(parser)
    args = parser.parse_intermixed_args(arguments)

    from incseg.apis.config.loading import load_config, parse_options
    from incseg.apis.config.stored import import_modules
    from incseg.apis.config.trained import configs_of_runs
    from incseg.engine.figures.predictions import draw_comparison

    import_modules(args.imports)
    shown = None if args.config is None else load_config(args.config, options_of(args))
    runs = {
        title: str(file)
        for title, file in parse_options(args.runs, '--runs', 'TITLE=CHECKPOINT').items()
    }
    configs = configs_of_runs(runs, options_of(args), shown)
    if shown is None:
        shown = next(iter(configs.values()))
    draw_comparison(shown, runs, args.images, Path(args.out), args.force, configs)
