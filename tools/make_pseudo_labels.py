"""Turn a step's images and their image-level labels into pseudo-labels."""

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
from incseg.engine import Experiment
from incseg.engine.weak.pseudo_labels import pseudo_label_job
from incseg.utils.distributed import end_launcher, init_launcher


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of the weak experiment')
    parser.add_argument('checkpoint', help='its network, seam.pth')
    parser.add_argument('--out', metavar='DIR', required=True, help='receives <protocol>/<step>/…')
    add_common_arguments(parser)
    add_rescan_argument(parser)
    parser.add_argument(
        '--step',
        type=int_argument,
        metavar='K',
        help="whose images; a network of seam.scope='step' knows it by itself",
    )
    parser.add_argument(
        '--resume', action='store_true', help='complete what an interrupted run left'
    )
    parser.add_argument(
        '--coco', action='store_true', help="also write coco.json, COCO's run-length masks"
    )
    args = parser.parse_args()
    config = load_config(args.config, options_of(args))
    init_launcher(args.launcher)
    files = pseudo_label_job(
        Experiment(config), args.checkpoint, args.out, args.step, args.resume, args.coco
    )
    if is_main_process():
        print(f'pseudo-labels in {files.folder}')
    end_launcher()


if __name__ == '__main__':
    command_line(main, '--resume keeps the whole files and makes the others')
