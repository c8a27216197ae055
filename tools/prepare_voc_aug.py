"""Make SegmentationClassAug from VOC 2012 and SBD as downloaded; masks that are there stay."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, command_line
from incseg.datasets.preparation.sbd_masks import make_sbd_masks


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('voc_root', help='VOCdevkit/VOC2012')
    parser.add_argument('sbd_root', help='benchmark_RELEASE/dataset')
    args = parser.parse_args()

    def report(done: int, total: int) -> None:
        if done % 1000 == 0 or done == total:
            print(f'{done}/{total} masks', flush=True)

    make_sbd_masks(args.voc_root, args.sbd_root, report)


if __name__ == '__main__':
    command_line(main)
