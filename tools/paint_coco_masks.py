"""Paint COCO's masks/{train,val}2017 of its instances; those that are there stay."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.cli.main import run

if __name__ == '__main__':
    run('paint-coco-masks')
