"""Compare pseudo-labels with the masks at every background threshold."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import (
    ArgumentParser,
    add_config_arguments,
    add_rescan_argument,
    command_line,
    options_of,
)
from incseg.apis.config.loading import load_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.weak.evaluate_pseudo_labels import THRESHOLDS, report_pseudo_labels
from incseg.engine.weak.seam_config import weak_training_set
from incseg.registry import DATASETS


def main() -> None:
    parser = ArgumentParser(description=__doc__)
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
        default=THRESHOLDS,
        metavar='T',
        help='default: 0.00 to 0.99 by 0.01',
    )
    add_config_arguments(parser)
    add_rescan_argument(parser)
    args = parser.parse_args()
    config = load_config(args.config, options_of(args))
    settings = weak_training_set(Experiment(config))
    if args.split is not None:
        settings['split'] = args.split
    print(report_pseudo_labels(DATASETS.build(settings), args.folder, args.thresholds))


if __name__ == '__main__':
    command_line(main, 'start it again')
