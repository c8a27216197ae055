"""Evaluating: what the metric costs beside the network, and memory over the number of images.

python benchmarks/evaluation.py [--classes 21] [--size 512]
"""

import argparse
import gc

import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from side_by_side import CUDA, in_fresh_process, interleaved, ms, peak_above, report, target
from torch import Tensor, nn

from incseg.evaluation import ConfusionMetric
from incseg.models import EncoderDecoder
from incseg.registry import MODELS
from incseg.structures import SegDataSample

DEVICE = 'cuda' if CUDA else 'cpu'
#: most of the network's time, in percent; most growth from few to many images, in MB
SHARE, GROWTH = 5, 5
IMAGES = (20, 200, 2000)


@MODELS.register_module()
class OneConvolution(nn.Module):
    """A backbone that costs next to nothing, stride 8."""

    out_channels = (16,)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 8, stride=8)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.conv(x),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--classes', type=int, default=21)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--rounds', type=int, default=100 if CUDA else 15)
    parser.add_argument('--memory', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    with torch.no_grad():
        if args.memory:
            run = Run(dict(type='OneConvolution'), args)
            run.evaluate(3)  # what torch itself loads at the first calls
            print(peak_above(lambda: run.evaluate(args.memory)))
        else:
            cost(args)
            memory(args)


class Run:
    """A network, a metric, and images with labels of half void."""

    def __init__(self, backbone: dict, args: argparse.Namespace):
        torch.manual_seed(0)
        self.model = (
            EncoderDecoder(backbone, dict(type='FCNHead'), [args.classes]).to(DEVICE).eval()
        )
        self.metric = ConfusionMetric()
        self.evaluator = Evaluator(self.metric)
        self.evaluator.dataset_meta = dict(classes=[str(i) for i in range(args.classes)])
        self.classes, self.size = args.classes, args.size

    def batch(self) -> dict[str, list]:
        """One new image, as the loader gives it."""
        labels = torch.randint(0, self.classes, (1, self.size, self.size), dtype=torch.uint8)
        labels[:, ::2] = 255
        sample = SegDataSample(metainfo=dict(ori_shape=(self.size, self.size)))
        sample.gt_sem_seg = PixelData(data=labels)
        image = torch.randint(0, 256, (3, self.size, self.size), dtype=torch.uint8)
        return dict(inputs=[image], data_samples=[sample])

    def evaluate(self, images: int) -> None:
        """What the test loop does."""
        for _ in range(images):
            batch = self.batch()
            self.evaluator.process(data_samples=self.model.test_step(batch), data_batch=batch)
        self.evaluator.evaluate(images)


def boolean_indexing(prediction: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """The matrix in one line, for comparison."""
    valid = target != 255
    pair = target[valid].long() * num_classes + prediction[valid].long()
    return torch.bincount(pair, minlength=num_classes**2).view(num_classes, num_classes)


def cost(args: argparse.Namespace) -> None:
    run = Run(dict(type='BiSeNet'), args)
    batch = run.batch()
    samples = run.model.test_step(batch)
    prediction = samples[0].pred_sem_seg.data
    truth = samples[0].gt_sem_seg.data.to(prediction.device)
    took = interleaved(
        {
            'BiSeNet-R18, image to labels': lambda: run.model.test_step(batch),
            'metric': lambda: run.evaluator.process(samples, batch),
            'its matrix by boolean indexing': lambda: boolean_indexing(
                prediction, truth, args.classes
            ),
        },
        args.rounds,
    )
    network = took['BiSeNet-R18, image to labels']
    report(
        f'One image of {args.size}x{args.size}, {args.classes} classes',
        ('part', 'time', 'of the network'),
        [[name, ms(seconds), f'{100 * seconds / network:.2f} %'] for name, seconds in took.items()],
    )
    target(
        "the metric's share of the network's time",
        100 * took['metric'] / network,
        at_most=SHARE,
        unit=' %',
    )


def memory(args: argparse.Namespace) -> None:
    run = Run(dict(type='OneConvolution'), args)
    for _ in range(3):
        batch = run.batch()
        run.evaluator.process(data_samples=run.model.test_step(batch), data_batch=batch)
    gc.collect()
    held = [
        x
        for x in gc.get_objects()
        if type(x) is Tensor and x.is_floating_point() and x.shape[-2:] == (args.size, args.size)
    ]
    peaks = {
        n: in_fresh_process('--memory', n, '--classes', args.classes, '--size', args.size)
        for n in IMAGES
    }
    full_size = args.classes * args.size**2 * 4 / 2**20
    report(
        '\nMemory',
        ('what', 'MB'),
        [
            ['full-size logits of one image would be', f'{full_size:.1f}'],
            ['full-size float tensors held after 3 images', f'{len(held)} of them'],
            *([f'peak above the start, {n} images', f'{peak:.1f}'] for n, peak in peaks.items()),
        ],
    )
    target('full-size float tensors held', len(held), at_most=0, unit='')
    target(
        f'peak memory of {IMAGES[-1]} images above that of {IMAGES[0]}',
        peaks[IMAGES[-1]] - peaks[IMAGES[0]],
        at_most=GROWTH,
        unit=' MB',
    )


if __name__ == '__main__':
    main()
