"""Put several runs into one table: methods by protocols, mean and spread over seeds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, command_line
from incseg.evaluation.comparison.compare import compare
from incseg.evaluation.conventions import CONVENTIONS


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='WORK_DIR',
        help='a work dir, a folder of work dirs, or a results.json; NAME=WORK_DIR names its row',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        default='comparison',
        help='where comparison.txt, .md, .csv and .png go, anew each time (default: comparison)',
    )
    parser.add_argument(
        '--convention',
        choices=list(CONVENTIONS),
        default='mib',
        help='where the background counts: nowhere, in base and all, or in all (default: mib)',
    )
    args = parser.parse_args()
    print(compare(args.runs, args.out, args.convention))


if __name__ == '__main__':
    command_line(main)
