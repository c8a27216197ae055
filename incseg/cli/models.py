"""Commands around a network that exists."""

from collections.abc import Sequence

from incseg.cli.arguments import ArgumentParser, add_force_argument


def import_network(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Make a network of another library the final.pth of a step 0.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('checkpoint', help='a state dict, or a file that holds one')
    parser.add_argument(
        '--network',
        metavar='NAME',
        required=True,
        help='a network of another library, such as deeplabv3_resnet50, or a name of incseg list '
        'networks; docs/import.md has all',
    )
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
    args = parser.parse_args(arguments)

    from incseg.apis.import_model import import_model

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


def convert_params(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Convert the ImageNet weights of SEAM's ResNet-38 from mxnet's format.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('params', help='ilsvrc-cls_rna-a1_cls1000_ep-0001.params')
    parser.add_argument('out', help='the .pth to write; name it in model.backbone.weights')
    add_force_argument(parser)
    args = parser.parse_args(arguments)

    from incseg.models.weights.converters.resnet38d import convert_resnet38_params

    count = convert_resnet38_params(args.params, args.out, args.force)
    print(f'{count} tensors in {args.out}')
