"""Train every step of a config's protocol and print the table."""

import os
import sys
from pathlib import Path

# read when torch is loaded: its threads sleep while they wait, and give up a core that is wanted
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_common_arguments,
    add_rescan_argument,
    command_line,
    int_argument,
    options_of,
)
from incseg.apis.config.model_base import default_work_dir
from incseg.apis.config.started import load_started_config
from incseg.engine import train_protocol
from incseg.utils.distributed import end_launcher, init_launcher


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='for instance configs/mib/bisenet_r101_15-1.py')
    add_common_arguments(parser)
    add_rescan_argument(parser)
    parser.add_argument('--seed', type=int_argument)
    parser.add_argument('--epochs', type=int_argument, help='of every step')
    parser.add_argument(
        '--steps', type=int_argument, nargs='+', metavar='K', help='only these steps'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on where an interrupted run stopped'
    )
    parser.add_argument(
        '--redo-from',
        type=int_argument,
        metavar='K',
        help='go on with a run, but remove what it made of step K and later, and train it anew',
    )
    parser.add_argument(
        '--no-reuse', action='store_true', help='neither take nor share the base step'
    )
    parser.add_argument(
        '--start',
        metavar='FILE',
        help='take this final.pth as step 0: of tools/import_model.py, or of another run',
    )
    parser.add_argument('--amp', action='store_true', help='bfloat16 autocast')
    args = parser.parse_args()
    if args.steps is not None and args.redo_from is not None:
        parser.error('--steps and --redo-from are both given, expected one of them')
    options = options_of(
        args, {'seed': args.seed, 'epochs': args.epochs, 'schedule.amp': args.amp or None}
    )
    config = load_started_config(args.config, options, args.start, args.work_dir)
    init_launcher(args.launcher)
    train_protocol(
        config,
        args.work_dir or default_work_dir(config),
        args.steps,
        resume=args.resume,
        reuse=not args.no_reuse,
        redo_from=args.redo_from,
        start=args.start,
    )
    end_launcher()


if __name__ == '__main__':
    command_line(main)
