"""Train the AffinityNet that refines pseudo-labels by a random walk."""

import os
import sys
from pathlib import Path

# read when torch is loaded: its threads sleep while they wait, and give up a core that is wanted
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_config_arguments,
    add_force_argument,
    add_rescan_argument,
    command_line,
    int_argument,
    options_of,
)
from incseg.apis.config.loading import load_config
from incseg.engine import Experiment
from incseg.engine.weak.affinity import affinity_job


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='its seam.refine is an AffinityRandomWalk')
    parser.add_argument(
        '--strong',
        metavar='DIR',
        required=True,
        help='<root>/<protocol>/<step> made with DenseCRF and background power 4',
    )
    parser.add_argument(
        '--weak', metavar='DIR', required=True, help='the same with background power 24'
    )
    parser.add_argument('--out', metavar='FILE', required=True, help='the checkpoint to write')
    parser.add_argument(
        '--init-from',
        metavar='FILE',
        help="a network whose backbone this one's starts from, as SEAM's seam.pth; default: "
        'ImageNet where the config of its backbone says pretrained=True, else noise',
    )
    parser.add_argument('--epochs', type=int_argument, default=8, help='default: 8')
    parser.add_argument(
        '--batch-size', type=int_argument, default=8, help='crops of a batch, default: 8'
    )
    parser.add_argument(
        '--crop-size',
        type=int_argument,
        default=448,
        help='side of a crop in pixels, a multiple of 8, 24 at least; default: 448',
    )
    parser.add_argument(
        '--lr', type=float, default=0.01, help='of the backbone at the start, default: 0.01'
    )
    add_config_arguments(parser)
    add_rescan_argument(parser)
    add_force_argument(parser)
    args = parser.parse_args()
    config = load_config(args.config, options_of(args))
    made = affinity_job(
        Experiment(config),
        args.strong,
        args.weak,
        args.out,
        args.init_from,
        epochs=args.epochs,
        batch_size=args.batch_size,
        crop_size=args.crop_size,
        lr=args.lr,
        force=args.force,
    )
    print(
        f'{made["images"]} images in {made["seconds"]:.0f} s, mean loss of the last epoch '
        f'{made["loss"]:.4f}; written to {args.out}'
    )


if __name__ == '__main__':
    command_line(main, 'nothing was written: the training has to start anew')
