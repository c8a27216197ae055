"""DeepLabV3-R50 of this library and of torchvision, on equal weights, in turns.

    python benchmarks/deeplabv3.py [--size 256] [--batch 2] [--rounds 5]

Training: forward, cross-entropy of full-size logits, backward, SGD.  Inference: one picture to its
map of classes; ours also as ``prepare_for_inference`` makes it.  Both in float32.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from side_by_side import interleaved, ms, report, target

from incseg.apis import prepare_for_inference
from incseg.models import EncoderDecoder
from incseg.models.decode_heads import ASPPHead

DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
CLASSES = 21
MOST = 1.1


def networks() -> tuple[EncoderDecoder, torch.nn.Module]:
    """Ours and torchvision's, with its weights in both."""
    torch.manual_seed(0)
    theirs = torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=CLASSES
    )
    ours = EncoderDecoder(
        dict(type='ResNet', depth=50, output_stride=8),
        dict(type='ASPPHead', channels=256, rates=(12, 24, 36), dropout_ratio=0.0),
        [CLASSES],
    )
    ours.backbone.load_state_dict(theirs.backbone.state_dict())
    head = ours.decode_head
    assert isinstance(head, ASPPHead)
    pyramid, *last = theirs.classifier
    pairs = [(block, branch[0], branch[1]) for block, branch in zip(head.branches, pyramid.convs)]
    pairs += [
        (head.pooled, pyramid.convs[4][1], pyramid.convs[4][2]),
        (head.project, pyramid.project[0], pyramid.project[1]),
        (head.conv, last[0], last[1]),
    ]
    block: Any
    for block, conv, norm in pairs:
        block.conv.load_state_dict(conv.state_dict())
        block.norm.load_state_dict(norm.state_dict(), strict=False)
    assert head.classifier is not None
    head.classifier.convs[0].load_state_dict(last[3].state_dict())
    pyramid.project[3].p = 0.0
    return ours.to(DEVICE), theirs.to(DEVICE)


def training(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, 0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=256)
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    ours, theirs = networks()
    shape = (args.size, args.size)
    inputs = torch.randn(args.batch, 3, *shape, device=DEVICE)
    labels = torch.randint(0, CLASSES, (args.batch, *shape), device=DEVICE)
    seconds = interleaved(
        {
            'torchvision': training(
                theirs.train(), lambda: F.cross_entropy(theirs(inputs)['out'], labels)
            ),
            'ours': training(
                ours.train(),
                lambda: torch.stack([*ours.loss(inputs, labels.to(torch.uint8)).values()]).sum(),
            ),
        },
        args.rounds,
    )
    rows = [('training step', name, ms(each)) for name, each in seconds.items()]
    step = seconds['ours'] / seconds['torchvision']
    ours.eval(), theirs.eval()
    fast = prepare_for_inference(ours)
    one = inputs[:1]
    with torch.inference_mode():
        seconds = interleaved(
            {
                'torchvision': lambda: theirs(one)['out'].argmax(1),
                'ours': lambda: ours.predict(one),
                'ours, prepared': lambda: fast.predict(one),
            },
            args.rounds,
        )
    rows += [('inference', name, ms(each)) for name, each in seconds.items()]
    report(
        f'DeepLabV3-R50, output stride 8, {args.batch} x {args.size} x {args.size}',
        ('what', 'network', 'time'),
        rows,
    )
    target('training step, ours by torchvision', step, at_most=MOST)
    target(
        'inference, ours prepared by torchvision',
        seconds['ours, prepared'] / seconds['torchvision'],
        at_most=1,
    )


if __name__ == '__main__':
    main()
