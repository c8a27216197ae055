"""Bring a network of another library in: it becomes the final.pth of a step 0."""

import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, add_force_argument, command_line
from incseg.apis.foreign_network import network_names
from incseg.apis.import_model import import_model


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='a state dict, or a file that holds one')
    parser.add_argument('--network', metavar='NAME', required=True, help=', '.join(network_names()))
    parser.add_argument(
        '--classes',
        metavar='FILE',
        help='names of the outputs in their order, one a line (or a JSON list); may be left out '
        "where the checkpoint's meta has them",
    )
    parser.add_argument(
        '--no-background',
        action='store_true',
        help='no output is the background: one that never wins is added',
    )
    parser.add_argument(
        '--order', metavar='CONFIG', help="bring the outputs in the order of a config's step 0"
    )
    parser.add_argument('--key-map', metavar='FILE', help='JSON: new names of tensors')
    parser.add_argument('--mean', type=float, nargs=3, help='of pixels from 0 to 255')
    parser.add_argument('--std', type=float, nargs=3, help='of pixels from 0 to 255')
    parser.add_argument('--bgr', action='store_true', help='the network takes blue, green, red')
    parser.add_argument(
        '--out', metavar='DIR', required=True, help='folder of the final.pth, or a file *.pth'
    )
    add_force_argument(parser)
    args = parser.parse_args()
    _, notes = import_model(
        args.checkpoint,
        args.network,
        args.out,
        args.classes,
        background=not args.no_background,
        order=args.order,
        key_map=args.key_map,
        mean=args.mean,
        std=args.std,
        bgr=args.bgr,
        force=args.force,
    )
    print('\n'.join(notes))


if __name__ == '__main__':
    command_line(main)
