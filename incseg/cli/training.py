"""Commands that train a network step by step, and evaluate it."""

from collections.abc import Sequence

from incseg.cli.arguments import (
    ArgumentParser,
    add_common_arguments,
    add_force_argument,
    add_import_argument,
    add_rescan_argument,
    int_argument,
    options_of,
)
from incseg.cli.prediction_arguments import add_prediction_arguments, prediction_options


def train(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Train every step of a config's protocol and print the table.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
    parser.add_argument(
        'config', help='a config: a file, or the name of one of the library (incseg list configs)'
    )
    add_common_arguments(parser)
    add_rescan_argument(parser)
    parser.add_argument('--seed', type=int_argument)
    parser.add_argument('--epochs', type=int_argument, help='of every step')
    parser.add_argument(
        '--steps', type=int_argument, nargs='+', metavar='K', help='only these steps'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on where an interrupted run stopped'
    )
    parser.add_argument(
        '--redo-from',
        type=int_argument,
        metavar='K',
        help='go on with a run, but remove what it made of step K and later, and train it anew',
    )
    parser.add_argument(
        '--no-reuse', action='store_true', help='neither take nor share the base step'
    )
    parser.add_argument(
        '--start',
        metavar='FILE',
        help='take this final.pth as step 0: of incseg import, or of another run',
    )
    parser.add_argument('--amp', action='store_true', help='bfloat16 autocast')
    args = parser.parse_args(arguments)
    if args.steps is not None and args.redo_from is not None:
        parser.error('--steps and --redo-from are both given, expected one of them')

    from incseg.apis.config.model_base import default_work_dir
    from incseg.apis.config.started import load_started_config
    from incseg.engine import train_protocol
    from incseg.utils.distributed import end_launcher, init_launcher

    options = options_of(
        args, {'seed': args.seed, 'epochs': args.epochs, 'schedule.amp': args.amp or None}
    )
    config = load_started_config(args.config, options, args.start, args.work_dir)
    init_launcher(args.launcher)
    train_protocol(
        config,
        args.work_dir or default_work_dir(config),
        args.steps,
        resume=args.resume,
        reuse=not args.no_reuse,
        redo_from=args.redo_from,
        start=args.start,
    )
    end_launcher()


def test(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Evaluate a step's checkpoint, and print the numbers that training printed.

    Args:
        parser: The parser of the command.
        arguments: The command line after the command's name.
    """
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
    args = parser.parse_intermixed_args(arguments)
    if args.config is None and args.checkpoint.endswith('.py'):
        parser.error(f'{args.checkpoint} is a config, expected a checkpoint too, or alone')

    from mmengine.dist import is_main_process

    from incseg.apis.config.model_base import default_work_dir
    from incseg.apis.config.trained import load_trained_config, tell
    from incseg.engine import evaluate_checkpoint
    from incseg.engine.checkpoint import StepCheckpoint
    from incseg.utils.distributed import end_launcher, init_launcher

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
