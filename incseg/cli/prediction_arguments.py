"""Options of a command line that say how pictures are predicted."""

import argparse
from typing import Any

from incseg.cli.arguments import int_argument


def add_prediction_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``test_cfg``; :func:`prediction_options` reads them."""
    pixels: dict[str, Any] = dict(type=int_argument, nargs='+', metavar='PIXELS')
    parser.add_argument(
        '--slide',
        **pixels,
        help='predict windows of this size, or of HEIGHT WIDTH, for instance 1024',
    )
    parser.add_argument('--stride', **pixels, help='from one window to the next, with --slide')
    parser.add_argument(
        '--pooling-passes',
        type=int_argument,
        metavar='N',
        help='passes over all windows that take the averages of global pooling (default: 1)',
    )
    parser.add_argument('--flip', action='store_true', help='average with the mirrored picture')
    parser.add_argument(
        '--scales', type=float, nargs='+', metavar='S', help='average over these sizes'
    )


def prediction_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options as overrides of a config, by dotted key; None where one is absent."""

    def listed(values: list | None) -> Any:
        return values[0] if values and len(values) == 1 else values

    return {
        'test_cfg.mode': 'slide' if args.slide else None,
        'test_cfg.crop_size': listed(args.slide),
        'test_cfg.stride': listed(args.stride),
        'test_cfg.pooling_passes': args.pooling_passes,
        'test_cfg.flip': args.flip or None,
        'test_cfg.scales': listed(args.scales),
    }
