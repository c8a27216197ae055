"""Draw test images with the predictions of several runs side by side."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_config_arguments,
    add_force_argument,
    add_import_argument,
    command_line,
    int_argument,
    options_of,
)
from incseg.apis.config.loading import load_config, parse_options
from incseg.apis.config.stored import import_modules
from incseg.apis.config.trained import configs_of_runs
from incseg.engine.figures.predictions import draw_comparison


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'config',
        nargs='?',
        help="its test images are shown; by default those of the first run's training",
    )
    parser.add_argument('out', help='the picture to write')
    parser.add_argument(
        '--runs',
        nargs='+',
        required=True,
        metavar='TITLE=CHECKPOINT',
        help='final.pth of steps of one protocol, in the order of the columns; each predicts '
        'with the settings of its training',
    )
    parser.add_argument(
        '--images', type=int_argument, nargs='+', default=[0, 1, 2, 3], metavar='INDEX'
    )
    add_config_arguments(parser)
    add_force_argument(parser)
    add_import_argument(parser)
    args = parser.parse_intermixed_args()
    import_modules(args.imports)
    shown = None if args.config is None else load_config(args.config, options_of(args))
    runs = {
        title: str(file)
        for title, file in parse_options(args.runs, '--runs', 'TITLE=CHECKPOINT').items()
    }
    configs = configs_of_runs(runs, options_of(args), shown)
    if shown is None:
        shown = next(iter(configs.values()))
    draw_comparison(shown, runs, args.images, Path(args.out), args.force, configs)


if __name__ == '__main__':
    command_line(main)
