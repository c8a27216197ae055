"""Commands around a network that exists."""

import os
from collections.abc import Sequence

from incseg.cli.arguments import (
    ArgumentParser,
    add_config_arguments,
    add_force_argument,
    add_import_argument,
    int_argument,
)
from incseg.cli.prediction_arguments import add_prediction_arguments, prediction_options

#: kinds of files of a prediction; incseg.apis.prediction.files, which needs torch, writes them
KINDS = ('labels', 'overlays', 'probabilities', 'coco')


def predict(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Segment pictures, folders of pictures and videos with a trained network.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('checkpoint', help="a step's final.pth: a model by itself")
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='pictures, folders of pictures, videos'
    )
    parser.add_argument('--out', metavar='DIR', default='predictions', help='default: predictions')
    parser.add_argument(
        '--write',
        nargs='+',
        choices=KINDS,
        default=['labels', 'overlays'],
        help='label maps (PNG of dataset ids), pictures with the classes painted, probabilities '
        "(npz), COCO's run-length masks (JSON); default: labels overlays",
    )
    parser.add_argument(
        '--every', type=int_argument, metavar='N', default=1, help='one frame of a video out of N'
    )
    parser.add_argument(
        '--opacity',
        type=float,
        default=0.5,
        help='weight of the colours in painted pictures, 0 to 1; default: 0.5',
    )
    parser.add_argument(
        '--config',
        metavar='CONFIG',
        help='the config of the training, for a checkpoint of incseg 0.1',
    )
    parser.add_argument('--device', help="'cuda' if there is one, else 'cpu', by default")
    add_import_argument(parser)
    add_force_argument(parser, 'predictions that are there')
    add_prediction_arguments(parser)
    args = parser.parse_args(arguments)

    from incseg.apis.prediction.predict import predict as predict_files
    from incseg.errors import InvalidInputError

    named = {
        key.removeprefix('test_cfg.'): value
        for key, value in prediction_options(args).items()
        if value is not None
    }
    unread = predict_files(
        args.checkpoint,
        args.inputs,
        args.out,
        args.write,
        config=args.config,
        every=args.every,
        opacity=args.opacity,
        test_cfg=named or None,
        device=args.device,
        imports=args.imports,
        force=args.force,
    )
    if unread:
        more = f' (and {len(unread) - 1} more)' if len(unread) > 1 else ''
        raise InvalidInputError(f'{unread[0]}{more}; the others are in {args.out}')


def teach(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Teach a trained model a class that it does not know, from images of that class.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('model', metavar='MODEL', help='the final.pth of a training or an import')
    parser.add_argument('--images', metavar='DIR', required=True, help='images of the new class')
    parser.add_argument(
        '--masks',
        metavar='DIR',
        help="their masks, or a JSON file like COCO's; default: looked for",
    )
    parser.add_argument(
        '--labels',
        metavar='FILE|all',
        help='instead of masks: the classes of each image, a JSON file {"image": ["class"]}; all: '
        'each image shows the class',
    )
    parser.add_argument(
        '--negatives', metavar='DIR', help='with labels: images that show none of the classes'
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
        help='values of no named class: known (they are refused), background or void',
    )
    parser.add_argument('--out', metavar='DIR', help='folder of the run')
    parser.add_argument(
        '--method', metavar='NAME', default='mib', help='a name of incseg list methods'
    )
    parser.add_argument(
        '--keep',
        type=int_argument,
        metavar='N',
        default=0,
        help='copy N images of the new classes beside the model, to be replayed when it is taught '
        'again; default: 0',
    )
    parser.add_argument('--epochs', type=int_argument, metavar='N', help='passes over the images')
    parser.add_argument(
        '--minutes',
        type=float,
        metavar='M',
        help='train no longer than about so many minutes, instead of --epochs',
    )
    parser.add_argument('--batch-size', type=int_argument, metavar='N')
    parser.add_argument('--seed', type=int_argument, metavar='N', default=42)
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--resume', action='store_true', help='go on with an interrupted call')
    add_config_arguments(parser, "override keys of the run's config", model=False)
    add_import_argument(parser)
    args = vars(parser.parse_args(arguments))
    if args['device'] == 'cpu':  # before torch looks for a GPU
        os.environ['CUDA_VISIBLE_DEVICES'] = ''

    from incseg.apis.config.loading import parse_options
    from incseg.apis.teach import teach as teach_model

    options = parse_options(args.pop('cfg_options'))
    teach_model(args.pop('model'), args.pop('images'), options=options, **args)


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
