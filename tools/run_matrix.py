"""Train configs x seeds one after another, skip what is done, and end with the table of all."""

import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_config_arguments,
    add_rescan_argument,
    command_line,
    int_argument,
    options_of,
)
from incseg.apis.run_list import plan_runs
from incseg.engine.matrix.run_matrix import run_matrix
from incseg.errors import InvalidInputError
from incseg.evaluation.conventions import CONVENTIONS


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='CONFIG',
        help='configs (.py), and files of runs (.json, see docs/comparing.md)',
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
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    parser.add_argument(
        '--nproc',
        type=int_argument,
        metavar='N',
        help='processes of each run, with --launcher pytorch',
    )
    parser.add_argument('--convention', choices=list(CONVENTIONS), default='mib')
    parser.add_argument('--dry-run', action='store_true', help='only print what would run')
    args = parser.parse_args()
    if (args.launcher == 'pytorch') != (args.nproc is not None) or (args.nproc or 1) < 1:
        raise InvalidInputError(
            f'--nproc is {args.nproc}: --launcher pytorch needs a number of processes, '
            '--launcher none takes none'
        )
    options = options_of(args, {'epochs': args.epochs, 'schedule.amp': args.amp or None})
    folder = Path(args.work_dir)
    runs = plan_runs(args.runs, folder, args.seeds, options)
    try:
        failed = run_matrix(
            runs,
            folder,
            convention=args.convention,
            processes=args.nproc or 0,
            reuse=not args.no_reuse,
            dry_run=args.dry_run,
        )
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on where it stopped')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    command_line(main)
