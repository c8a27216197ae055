"""Train the AffinityNet that refines pseudo-labels by a random walk."""
import os
import sys
from pathlib import Path

# read when torch is loaded: its threads sleep while they wait, and give up a core that is wanted
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

import torch

from incseg.apis.argument_parser import ArgumentParser, whole_number
from incseg.apis.command_line import add_config_arguments, command_line, options_of
from incseg.apis.config import load_config
from incseg.datasets import PseudoLabelFiles
from incseg.engine.affinity_dataset import AffinityDataset
from incseg.engine.affinity_training import checkpoint_of, train_affinity
from incseg.engine.checkpoint import save_atomically
from incseg.engine.experiment import Experiment
from incseg.engine.hooks.start_backbone_hook import load_backbone
from incseg.engine.resolve import resolve
from incseg.engine.training_set import weak_training_set
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='its seam.refine is an AffinityRandomWalk')
    parser.add_argument(
        '--strong', metavar='DIR', required=True,
        help='<root>/<protocol>/<step> made with DenseCRF and background power 4')
    parser.add_argument(
        '--weak', metavar='DIR', required=True, help='the same with background power 24')
    parser.add_argument('--out', metavar='FILE', required=True, help='the checkpoint to write')
    parser.add_argument(
        '--init-from', metavar='FILE',
        help="a network whose backbone this one's starts from, as SEAM's seam.pth; default: "
             'ImageNet, or noise where the config says pretrained=False')
    parser.add_argument('--epochs', type=whole_number, default=8)
    parser.add_argument('--batch-size', type=whole_number, default=8)
    parser.add_argument('--crop-size', type=whole_number, default=448)
    parser.add_argument('--lr', type=float, default=0.01)
    add_config_arguments(parser)
    args = parser.parse_args()
    config = load_config(args.config, options_of(args))
    refine = resolve(config.get('seam', {}), config).get('refine', {})
    if 'net' not in refine:
        raise InvalidInputError(
            f"seam.refine of {args.config} is {refine}; allowed here is "
            'dict(type="AffinityRandomWalk", net=dict(type="AffinityNet", …), …)')
    torch.manual_seed(config['seed'])
    net = MODELS.build(refine['net'])
    if args.init_from is None:
        net.init_weights()
    else:
        load_backbone(net.backbone, args.init_from)
    net.to('cuda' if torch.cuda.is_available() else 'cpu')
    data = AffinityDataset(
        DATASETS.build(weak_training_set(Experiment(config))), PseudoLabelFiles(args.strong),
        PseudoLabelFiles(args.weak), args.crop_size)
    losses = train_affinity(
        net, data, epochs=args.epochs, batch_size=args.batch_size, lr=args.lr,
        seed=config['seed'], num_workers=config['num_workers'])
    save_atomically(checkpoint_of(net, seed=config['seed'], epochs=args.epochs), args.out)
    last = losses[-max(len(losses) // args.epochs, 1):]
    print(f'{len(data)} images, mean loss of the last epoch {sum(last) / len(last):.4f}; '
          f'written to {args.out}')


if __name__ == '__main__':
    command_line(main)
