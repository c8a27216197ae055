"""Options of a command line that send the runs of a matrix to a cluster."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from incseg.cli.arguments import int_argument

if TYPE_CHECKING:
    from incseg.engine.matrix.cluster import Cluster

#: the options that say what a job may use
OPTIONS = ('partition', 'hours', 'memory', 'cpus', 'gpus', 'logs')


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine`` and what a job may use; :func:`cluster_of` reads them."""
    group = parser.add_argument_group('cluster', "by submitit: pip install 'incseg[slurm]'")
    group.add_argument(
        '--engine',
        choices=['slurm', 'local'],
        help='slurm: one job for each run, which goes on after preemption; local: the same jobs as '
        'processes of this machine, to try it out',
    )
    group.add_argument('--partition', metavar='NAME', help="default: the cluster's")
    group.add_argument(
        '--hours',
        type=float,
        metavar='H',
        help='time limit of a job; a training that needs longer goes on in another (default: 24)',
    )
    group.add_argument('--memory', type=float, metavar='GB', help="default: the cluster's")
    group.add_argument('--cpus', type=int_argument, metavar='N', help="default: the cluster's")
    group.add_argument(
        '--gpus', type=int_argument, metavar='N', help='of a run (default: --nproc, or else 1)'
    )
    group.add_argument('--logs', metavar='DIR', help='logs of the jobs (default: WORK_DIR/jobs)')


def cluster_of(args: argparse.Namespace) -> 'Cluster | None':
    """Return the cluster that a command line names; None without ``--engine``.

    Args:
        args: The parsed options of :func:`add_cluster_arguments`, with ``devices``, ``nproc`` and
            ``work_dir``.

    Raises:
        InvalidInputError: A number is too small, or options do not go together.
    """
    from incseg.engine.matrix.cluster import Cluster
    from incseg.errors import InvalidInputError
    from incseg.utils.rules import expected

    given = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    if args.engine is None:
        if given:
            name = next(iter(given))
            raise InvalidInputError(f'--{name} is an option of a cluster: add --engine slurm')
        return None
    if args.devices is not None:
        raise InvalidInputError(
            f'--devices is {args.devices!r} and --engine is {args.engine!r}, expected one of them: '
            'a cluster chooses the devices'
        )
    for name in ('hours', 'memory', 'cpus', 'gpus'):
        least = 0 if name == 'gpus' else 1e-3
        if name in given and not least <= given[name] < float('inf'):
            raise expected(f'--{name}', given[name], '0 or more' if name == 'gpus' else 'above 0')
    folder = Path(given.pop('logs', None) or Path(args.work_dir) / 'jobs').absolute()
    return Cluster(args.engine, folder, **{'gpus': args.nproc or 1, **given})
