"""Teach a trained model a class that it does not know, from images and masks of that class."""

import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, command_line, int_argument
from incseg.apis.config.loading import parse_options
from incseg.apis.teach import teach


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('model', metavar='MODEL', help='the final.pth of a training or an import')
    parser.add_argument('--images', metavar='DIR', required=True, help='images of the new class')
    parser.add_argument(
        '--masks',
        metavar='DIR',
        help="their masks, or a JSON file like COCO's",
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME[=VALUE]',
        required=True,
        help='the new classes, maybe with their values in the masks (a number, R,G,B, a category)',
    )
    parser.add_argument(
        '--val',
        metavar='SHARE|N|DIR|none',
        default='auto',
        help='what they are tested on; default: a fifth of the images, 5 to 100',
    )
    parser.add_argument(
        '--others',
        default='known',
        help='values of no class: known (refused), background or void',
    )
    parser.add_argument('--data-root', metavar='DIR', help='where the earlier images are now')
    parser.add_argument('--out', metavar='DIR', help='folder of the run')
    parser.add_argument('--method', metavar='NAME', default='mib', help='a base of _base_/methods')
    parser.add_argument('--epochs', type=int_argument, metavar='N')
    parser.add_argument('--batch-size', type=int_argument, metavar='N')
    parser.add_argument('--seed', type=int_argument, metavar='N', default=42)
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--import', dest='imports', nargs='+', metavar='MODULE', default=[])
    parser.add_argument('--resume', action='store_true', help='go on with an interrupted call')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', default=[])
    args = parser.parse_args()
    teach(
        args.model,
        args.images,
        classes=args.classes,
        masks=args.masks,
        val=args.val,
        others=args.others,
        data_root=args.data_root,
        out=args.out,
        method=args.method,
        epochs=args.epochs,
        batch_size=args.batch_size,
        seed=args.seed,
        device=args.device,
        imports=args.imports,
        resume=args.resume,
        options=parse_options(args.cfg_options),
    )


if __name__ == '__main__':
    command_line(main)
