"""Draw images beside their masks, the scores and the pseudo-labels made of them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_config_arguments,
    add_force_argument,
    add_rescan_argument,
    command_line,
    options_of,
)
from incseg.apis.config.loading import load_config
from incseg.engine import Experiment
from incseg.engine.figures.pseudo_labels import draw_pseudo_labels
from incseg.engine.weak.seam_config import weak_training_set
from incseg.registry import DATASETS


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='its training images and masks are taken')
    parser.add_argument('folder', metavar='DIR', help='<root>/<protocol>/<step>')
    parser.add_argument('out', help='the picture to write')
    parser.add_argument('--images', nargs='+', required=True, metavar='ID')
    add_config_arguments(parser)
    add_rescan_argument(parser)
    add_force_argument(parser)
    args = parser.parse_args()
    experiment = Experiment(load_config(args.config, options_of(args)))
    draw_pseudo_labels(
        DATASETS.build(weak_training_set(experiment)),
        args.folder,
        args.images,
        Path(args.out),
        args.force,
    )
    print(f'{len(args.images)} images of {args.folder} written to {args.out}')


if __name__ == '__main__':
    command_line(main, 'start it again')
