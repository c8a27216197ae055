"""Commands that look at the files of a data set, or prepare them."""

from collections.abc import Sequence

from incseg.cli.arguments import ArgumentParser, add_force_argument


def init(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Say what is in a folder of images and masks, and write a config for it.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
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
    parser.add_argument('--network', metavar='NAME', help='a name of incseg list networks')
    parser.add_argument(
        '--method', metavar='NAME', default='mib', help='a name of incseg list methods'
    )
    add_force_argument(parser, 'the config')
    args = parser.parse_args(arguments)

    from incseg.apis.folder.init_folder import init_folder

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


def paint_masks(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Paint COCO's masks/{train,val}2017 of its instances; those that are there stay.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('data_root', help="COCO's folder, with annotations/instances_*.json")
    parser.add_argument('--splits', nargs='+', choices=['train', 'val'], default=['train', 'val'])
    args = parser.parse_args(arguments)

    from incseg.datasets.preparation.coco_masks import paint_coco_masks

    for split in args.splits:

        def report(done: int, total: int, split: str = split) -> None:
            if done % 5000 == 0 or done == total:
                print(f'{split}: {done}/{total} masks', flush=True)

        paint_coco_masks(args.data_root, split, report)


def prepare_voc_aug(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Make SegmentationClassAug of VOC 2012 and SBD; masks that are there stay.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('voc_root', help='VOCdevkit/VOC2012')
    parser.add_argument('sbd_root', help='benchmark_RELEASE/dataset')
    args = parser.parse_args(arguments)

    from incseg.datasets.preparation.sbd_masks import make_sbd_masks

    def report(done: int, total: int) -> None:
        if done % 1000 == 0 or done == total:
            print(f'{done}/{total} masks', flush=True)

    make_sbd_masks(args.voc_root, args.sbd_root, report)
