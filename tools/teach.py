"""Teach a trained model a class that it does not know, from images of that class."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.cli.main import run

if __name__ == '__main__':
    run('teach')
