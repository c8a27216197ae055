"""Train SEAM on image-level labels, as the config's `seam` says."""

import os
import sys
from pathlib import Path

# read when torch is loaded: its threads sleep while they wait, and give up a core that is wanted
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from mmengine.dist import is_main_process

from incseg.apis.command_line import (
    ArgumentParser,
    add_common_arguments,
    add_rescan_argument,
    command_line,
    int_argument,
    options_of,
)
from incseg.apis.config.loading import load_config
from incseg.engine import Experiment, train_seam
from incseg.utils.distributed import end_launcher, init_launcher


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='for instance configs/mib_s/bisenet_r101_15-5.py')
    add_common_arguments(parser, "where train.py looks for it, below the config's seam_dir")
    add_rescan_argument(parser)
    parser.add_argument('--seed', type=int_argument)
    parser.add_argument(
        '--step',
        type=int_argument,
        default=1,
        metavar='K',
        help="whose new classes, with seam.scope='step' (default: 1)",
    )
    parser.add_argument(
        '--step0', metavar='CHECKPOINT', help="step 0's final.pth, for seam.init_from='step0'"
    )
    parser.add_argument(
        '--previous',
        metavar='CHECKPOINT',
        help="step K-1's final.pth, for seam.negatives that look through it",
    )
    parser.add_argument('--resume', action='store_true', help='go on where it was interrupted')
    args = parser.parse_args()
    config = load_config(args.config, options_of(args, {'seed': args.seed}))
    init_launcher(args.launcher)
    path = train_seam(
        Experiment(config),
        args.step,
        args.work_dir,
        resume=args.resume,
        step0=args.step0,
        previous=args.previous,
    )
    if is_main_process():
        print(f'SEAM in {path}')
    end_launcher()


if __name__ == '__main__':
    command_line(main)
