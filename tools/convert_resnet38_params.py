"""Convert the ImageNet weights of SEAM's ResNet-38 from mxnet's format; mxnet is not needed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout, installed or not

from incseg.apis.command_line import ArgumentParser, add_force_argument, command_line
from tools.converters.resnet38d import convert_resnet38_params


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('params', help='ilsvrc-cls_rna-a1_cls1000_ep-0001.params')
    parser.add_argument('out', help='the .pth to write; name it in model.backbone.weights')
    add_force_argument(parser)
    args = parser.parse_args()
    count = convert_resnet38_params(args.params, args.out, args.force)
    print(f'{count} tensors in {args.out}')


if __name__ == '__main__':
    command_line(main)
