"""Print which classes a step of a config learns, and how large its network is."""

from incseg.apis.argument_parser import ArgumentParser, whole_number
from incseg.apis.command_line import add_config_arguments, command_line, options_of
from incseg.apis.config import load_config
from incseg.engine.experiment import Experiment
from incseg.engine.network_config import network_config
from incseg.protocols.value_rules import (
    NUMBER,
    POSITIVE,
    check_values,
    one_of,
    or_none,
    several,
    whole,
)
from incseg.registry import MODELS

RULES = dict(
    step=whole(0),
    unit=one_of('k', 'm'),
    most=or_none(POSITIVE),
    only=or_none(several(whole(1))),
    offset=NUMBER,
)


def main():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config')
    add_config_arguments(parser)
    parser.add_argument('--step', type=whole_number, default=0)
    parser.add_argument('--epochs', type=whole_number)
    parser.add_argument('--unit', default='k')
    parser.add_argument('--most', type=float)
    parser.add_argument('--only', type=whole_number, nargs='*')
    parser.add_argument('--offset', type=float, default=0.0)
    args = parser.parse_args()
    check_values('show_plan', vars(args), RULES)
    config = load_config(args.config, options_of(args, {'epochs': args.epochs}))
    experiment = Experiment(config)
    experiment.check_step(args.step)
    ids = [i for i in experiment.training.new(args.step) if args.only is None or i in args.only]
    network = MODELS.build(network_config(experiment, args.step))
    size = sum(value.numel() for value in network.parameters()) + args.offset
    print(f'step {args.step} of {experiment.num_steps}:', ', '.join(experiment.names(tuple(ids))))
    print(
        f'{size / dict(k=1e3, m=1e6)[args.unit]:.3f}{args.unit} parameters, '
        f'{experiment.epochs(args.step)} epochs, data_root {config["data_root"]!r}'
    )


if __name__ == '__main__':
    command_line(main, 'nothing was begun')
