"""Draw test images with the predictions of several runs side by side."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.argument_parser import ArgumentParser, whole_number
from incseg.apis.command_line import command_line
from incseg.apis.config import load_config, parse_options
from incseg.engine.comparison import draw_comparison


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='its test images are shown')
    parser.add_argument('out', help='the picture to write')
    parser.add_argument(
        '--runs', nargs='+', required=True, metavar='TITLE=CHECKPOINT',
        help="final.pth of steps of this config's protocol, in the order of the columns")
    parser.add_argument(
        '--images', type=whole_number, nargs='+', default=[0, 1, 2, 3], metavar='INDEX')
    parser.add_argument('--data-root', metavar='DIR', help="the data set's folder")
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', metavar='KEY=VALUE', default=[])
    args = parser.parse_args()
    options = parse_options(args.cfg_options)
    if args.data_root is not None:
        options['data_root'] = args.data_root
    draw_comparison(
        load_config(args.config, options), parse_options(args.runs), args.images, Path(args.out))


if __name__ == '__main__':
    command_line(main)
