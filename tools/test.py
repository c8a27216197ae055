"""Evaluate a step's checkpoint; prints the numbers that training printed."""

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
    add_force_argument,
    add_import_argument,
    add_rescan_argument,
    command_line,
    options_of,
)
from incseg.apis.config.model_base import default_work_dir
from incseg.apis.config.trained import load_trained_config, tell
from incseg.apis.prediction_arguments import add_prediction_arguments, prediction_options
from incseg.engine import evaluate_checkpoint
from incseg.engine.checkpoint import StepCheckpoint
from incseg.utils.distributed import end_launcher, init_launcher


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'config',
        nargs='?',
        help='the config of the training run; may be left out: the checkpoint carries it',
    )
    parser.add_argument('checkpoint', help="a step's final.pth")
    add_common_arguments(parser, 'work_dirs/<config stem>; its test_step_<k>.json is written anew')
    add_import_argument(parser)
    add_rescan_argument(parser)
    parser.add_argument(
        '--show-dir', metavar='DIR', help='write image, truth and prediction of every test image'
    )
    add_force_argument(parser, 'pictures of --show-dir that are there')
    add_prediction_arguments(parser)
    args = parser.parse_intermixed_args()
    if args.config is None and args.checkpoint.endswith('.py'):
        parser.error(f'{args.checkpoint} is a config, expected a checkpoint too, or alone')
    checkpoint = StepCheckpoint(args.checkpoint)
    config, notes = load_trained_config(
        args.config, options_of(args, prediction_options(args)), checkpoint, args.imports
    )
    init_launcher(args.launcher)
    if is_main_process():
        tell(notes)
    evaluate_checkpoint(
        config,
        checkpoint,
        args.work_dir or default_work_dir(config),
        args.show_dir,
        args.force,
    )
    end_launcher()


if __name__ == '__main__':
    command_line(main)
