"""Commands about image-level labels: SEAM, pseudo-labels, and the network that refines them."""

from collections.abc import Sequence
from pathlib import Path

from incseg.cli.arguments import (
    ArgumentParser,
    add_common_arguments,
    add_config_arguments,
    add_force_argument,
    add_rescan_argument,
    int_argument,
    options_of,
)


def seam(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Train SEAM on image-level labels.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('config', help='for instance mib_s/bisenet_r101_15-5')
    add_common_arguments(parser, "where incseg train looks for it, below the config's seam_dir")
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
    args = parser.parse_args(arguments)

    from mmengine.dist import is_main_process

    from incseg.apis.config.loading import load_config
    from incseg.engine import Experiment, train_seam
    from incseg.utils.distributed import end_launcher, init_launcher

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


def make_pseudo_labels(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Turn a step's images and their image-level labels into pseudo-labels.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
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
    args = parser.parse_args(arguments)

    from mmengine.dist import is_main_process

    from incseg.apis.config.loading import load_config
    from incseg.engine import Experiment
    from incseg.engine.weak.pseudo_labels import pseudo_label_job
    from incseg.utils.distributed import end_launcher, init_launcher

    config = load_config(args.config, options_of(args))
    init_launcher(args.launcher)
    files = pseudo_label_job(
        Experiment(config), args.checkpoint, args.out, args.step, args.resume, args.coco
    )
    if is_main_process():
        print(f'pseudo-labels in {files.folder}')
    end_launcher()


def eval_pseudo_labels(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Compare pseudo-labels with the masks at every background threshold.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('config', help='its training images and masks are taken')
    parser.add_argument(
        'folder',
        metavar='DIR',
        help='<root>/<protocol>/<step>; its sweep.json and sweep.png are written anew',
    )
    parser.add_argument(
        '--split', help='another list of images, for instance train: only its images count'
    )
    parser.add_argument(
        '--thresholds',
        type=float,
        nargs='+',
        metavar='T',
        help='default: 0.00 to 0.99 by 0.01',
    )
    add_config_arguments(parser)
    add_rescan_argument(parser)
    args = parser.parse_args(arguments)

    from incseg.apis.config.loading import load_config
    from incseg.engine.recipe.experiment import Experiment
    from incseg.engine.weak.evaluate_pseudo_labels import THRESHOLDS, report_pseudo_labels
    from incseg.engine.weak.seam_config import weak_training_set
    from incseg.registry import DATASETS

    config = load_config(args.config, options_of(args))
    settings = weak_training_set(Experiment(config))
    if args.split is not None:
        settings['split'] = args.split
    thresholds = THRESHOLDS if args.thresholds is None else args.thresholds
    print(report_pseudo_labels(DATASETS.build(settings), args.folder, thresholds))


def show_pseudo_labels(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Draw images beside their masks, the scores and the pseudo-labels made of them.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument('config', help='its training images and masks are taken')
    parser.add_argument('folder', metavar='DIR', help='<root>/<protocol>/<step>')
    parser.add_argument('out', help='the picture to write')
    parser.add_argument('--images', nargs='+', required=True, metavar='ID')
    add_config_arguments(parser)
    add_rescan_argument(parser)
    add_force_argument(parser)
    args = parser.parse_args(arguments)

    from incseg.apis.config.loading import load_config
    from incseg.engine import Experiment
    from incseg.engine.figures.pseudo_labels import draw_pseudo_labels
    from incseg.engine.weak.seam_config import weak_training_set
    from incseg.registry import DATASETS

    experiment = Experiment(load_config(args.config, options_of(args)))
    draw_pseudo_labels(
        DATASETS.build(weak_training_set(experiment)),
        args.folder,
        args.images,
        Path(args.out),
        args.force,
    )
    print(f'{len(args.images)} images of {args.folder} written to {args.out}')


def affinity(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Train the AffinityNet that refines pseudo-labels by a random walk.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
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
    args = parser.parse_args(arguments)

    from incseg.apis.config.loading import load_config
    from incseg.engine import Experiment
    from incseg.engine.weak.affinity import affinity_job

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
