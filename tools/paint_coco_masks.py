"""Paint COCO's label maps, masks/{train,val}2017, of its instances; those that are there stay."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, command_line
from incseg.datasets.preparation.coco_masks import paint_coco_masks


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('data_root', help="COCO's folder, with annotations/instances_*.json")
    parser.add_argument('--splits', nargs='+', choices=['train', 'val'], default=['train', 'val'])
    args = parser.parse_args()

    for split in args.splits:

        def report(done: int, total: int, split: str = split) -> None:
            if done % 5000 == 0 or done == total:
                print(f'{split}: {done}/{total} masks', flush=True)

        paint_coco_masks(args.data_root, split, report)


if __name__ == '__main__':
    command_line(main)
