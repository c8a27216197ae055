"""Pseudo-labels of images: ours against one image, one scale and one flip at a time.

    python benchmarks/pseudo_labels.py [--size 160] [--images 8] [--depth 50]

Both write the same files, from the same network at the same precision: a ResNet at stride 8 with
random weights and a class map on top.  "plain" decodes, computes, and writes in turn; ours folds
BatchNorm, puts images and flips of a scale into one batch in channels-last layout, enlarges maps of
present classes alone, and reads and writes in threads.  "its convolutions" is the part of ours that
is arithmetic of the network: what would be left if everything else cost nothing.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from side_by_side import CUDA, interleaved, ms, report, target, times
from torch import Tensor, nn

from incseg.datasets import BackgroundRule, LoadImage, PseudoLabelFiles, ScoreFile, ShapesDataset
from incseg.engine.weak.cam_inference import CamInference, stretched
from incseg.engine.weak.image_batches import resized
from incseg.engine.weak.pseudo_label_maker import PseudoLabelMaker
from incseg.models import SegDataPreProcessor
from incseg.models.batch_norm_folding import fold_batch_norm

DEVICE = torch.device('cuda' if CUDA else 'cpu')
TARGET, SAME = (3.0 if CUDA else 1.3), 99.9
CLASS_IDS = (1, 2, 3, 4, 5, 6)
RULE = BackgroundRule('const', 0.26)


class RandomCams(nn.Module):
    """A ResNet at stride 8 and a 1x1 convolution to class maps, untrained."""

    def __init__(self, depth: int):
        super().__init__()
        torch.manual_seed(0)
        dilation = [False, True, True] if depth > 34 else [False] * 3
        net = getattr(torchvision.models, f'resnet{depth}')(replace_stride_with_dilation=dilation)
        self.body = nn.Sequential(*list(net.children())[:-2])
        self.head = nn.Conv2d(net.fc.in_features, len(CLASS_IDS), 1, bias=False)
        self.data_preprocessor = SegDataPreProcessor()

    def cams(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        cam = self.head(self.body(inputs))
        maps = cam.relu() / (cam.amax((2, 3), keepdim=True) + 1e-5)
        return cam, torch.cat([1 - maps.amax(1, keepdim=True), maps], 1)


@torch.no_grad()
def plain(
    model: Any, dataset: Any, labels: np.ndarray, files: PseudoLabelFiles, scales: tuple[float, ...]
) -> None:
    """Everything in turn."""
    load = LoadImage()
    for index, image_id in enumerate(dataset.image_ids):
        image = load.transform(dataset.get_data_info(index))['img']
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(DEVICE).float()
        size = pixels.shape[2:]
        total = torch.zeros(len(CLASS_IDS), *size, device=DEVICE)
        for scale in scales:
            inputs = model.data_preprocessor(dict(inputs=resized(pixels, scale)))['inputs']
            for flip in (False, True):
                _, refined = model.cams((inputs.flip(3) if flip else inputs).contiguous())
                maps = F.interpolate(
                    refined[:, 1:], inputs.shape[2:], mode='bilinear', align_corners=True
                )
                maps = F.interpolate(maps, size, mode='bilinear', align_corners=False)[0]
                total += maps.flip(2) if flip else maps
        ids = [i for i in CLASS_IDS if labels[index, i]]
        scores = stretched(total)[[i - 1 for i in ids]]
        label = RULE.label_map(ids, scores).cpu().numpy()
        files.write(image_id, label, ScoreFile.quantise(ids, scores.cpu().numpy()))


def time_in_convolutions(model: nn.Module, run: Callable[[], None]) -> float:
    """Seconds of a run that are spent in convolutions, on a CPU."""
    spent: list[float] = []
    hooks = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            hooks += [
                module.register_forward_pre_hook(lambda *_: spent.append(-time.perf_counter())),
                module.register_forward_hook(lambda *_: spent.append(time.perf_counter())),
            ]
    run()
    for hook in hooks:
        hook.remove()
    return sum(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=500 if CUDA else 160)
    parser.add_argument('--images', type=int, default=64 if CUDA else 8)
    parser.add_argument('--depth', type=int, default=50)
    parser.add_argument('--batch', type=int, help='default: as in a run, 4 on a GPU, 1 on a CPU')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--scales', type=float, nargs='+', default=(0.5, 1.0, 1.5, 2.0))
    args = parser.parse_args()
    scales = tuple(args.scales)
    dataset = ShapesDataset(length=args.images, size=args.size)
    labels = dataset.presence()
    one = RandomCams(args.depth).to(DEVICE).eval()
    model = RandomCams(args.depth).to(DEVICE).eval()
    fold_batch_norm(model, ['body'], lambda images: model.cams(images)[1])
    model.to(memory_format=torch.channels_last)
    root = Path(tempfile.mkdtemp())
    files = {name: PseudoLabelFiles(root / name) for name in ('plain', 'ours')}
    maker = PseudoLabelMaker(
        CamInference(model, scales), CLASS_IDS, files['ours'], RULE, batch_size=args.batch
    )

    def ours() -> None:
        maker.make(dataset, range(len(dataset)), labels)

    found = interleaved(
        {'plain': lambda: plain(one, dataset, labels, files['plain'], scales), 'ours': ours},
        args.rounds,
    )
    parts = (
        [] if CUDA else [np.median([time_in_convolutions(model, ours) for _ in range(args.rounds)])]
    )
    same = 100 * np.mean(
        [files['plain'].read_label(i) == files['ours'].read_label(i) for i in dataset.image_ids]
    )
    shutil.rmtree(root)
    gain = found['plain'] / found['ours']
    report(
        f'pseudo-labels, ResNet-{args.depth}, {args.images} images of {args.size}x{args.size}, '
        f'scales {scales} with flips',
        ['', 'per image', 'gain', 'labels equal'],
        [
            ['plain', ms(found['plain'] / args.images), '', ''],
            ['ours', ms(found['ours'] / args.images), times(gain), f'{same:.3f} %'],
            *(
                ['its convolutions', ms(part / args.images), times(found['plain'] / part), '']
                for part in parts
            ),
        ],
    )
    target('pseudo-labels against one image and scale at a time', gain, at_least=TARGET)
    target('pseudo-labels equal', same, at_least=SAME, unit=' %')


if __name__ == '__main__':
    main()
