"""``python -m incseg``: the same as the console command ``incseg``."""

from incseg.cli.main import main

if __name__ == '__main__':
    main()
