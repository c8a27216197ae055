"""Draw test images with the predictions of several runs side by side."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_config_arguments,
    add_force_argument,
    command_line,
    int_argument,
    options_of,
)
from incseg.apis.config.loading import load_config, parse_options
from incseg.engine.figures.predictions import draw_comparison


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='its test images are shown')
    parser.add_argument('out', help='the picture to write')
    parser.add_argument(
        '--runs',
        nargs='+',
        required=True,
        metavar='TITLE=CHECKPOINT',
        help="final.pth of steps of this config's protocol, in the order of the columns",
    )
    parser.add_argument(
        '--images', type=int_argument, nargs='+', default=[0, 1, 2, 3], metavar='INDEX'
    )
    add_config_arguments(parser)
    add_force_argument(parser)
    args = parser.parse_args()
    config = load_config(args.config, options_of(args))
    draw_comparison(config, parse_options(args.runs), args.images, Path(args.out), args.force)


if __name__ == '__main__':
    command_line(main)
