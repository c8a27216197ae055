"""Look at a folder of images and masks, say what is in it, and write a config that trains on it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, add_force_argument, command_line
from incseg.apis.folder.init_folder import init_folder


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('folder', metavar='DIR', help='the folder')
    parser.add_argument('--out', metavar='FILE', help="the config; default: the folder's name .py")
    parser.add_argument(
        '--classes', metavar='FILE', help='names of the classes: lines of name, id name, name r g b'
    )
    parser.add_argument('--images', metavar='DIR', default='auto', help='images below the folder')
    parser.add_argument(
        '--masks',
        metavar='DIR',
        default='auto',
        help="masks below it, or a JSON file like COCO's",
    )
    parser.add_argument('--protocol', metavar='NAME', help="such as '2-1', or 'offline'")
    parser.add_argument('--network', metavar='NAME', help='a base of configs/_base_/models')
    parser.add_argument('--method', metavar='NAME', default='mib', help='a base of _base_/methods')
    add_force_argument(parser, 'the config')
    args = parser.parse_args()
    init_folder(
        args.folder,
        args.out,
        classes=args.classes,
        images=args.images,
        masks=args.masks,
        protocol=args.protocol,
        network=args.network,
        method=args.method,
        force=args.force,
    )


if __name__ == '__main__':
    command_line(main)
