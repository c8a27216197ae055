"""Windows on large pictures: memory from file to label map, and agreement with whole pictures.

    python benchmarks/large_pictures.py [--megapixels 40] [--memory mlp_lite0 …]
        [--agreement mlp_lite0 …] [--iterations 80]
    python benchmarks/large_pictures.py --memory --agreement --checkpoint FINAL.PTH IMAGES

Memory is the peak above the loaded process, in a fresh process for each network and format; passes
for global pooling are left out, which need the same memory again.
Agreement is that of networks which have learned Shapes for some iterations, on a mosaic of Shapes
pictures of 4 megapixels: with random weights all classes are nearly equal everywhere, as in no
trained network.  With --checkpoint it is that of a trained network, on a mosaic of the first 64
pictures of a folder.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from side_by_side import ROOT, in_fresh_process, peak_above, report, target

from incseg.apis import inference_model, init_model, load_config
from incseg.datasets import ShapesDataset
from incseg.models import EncoderDecoder
from incseg.models.prediction import PredictionSettings
from incseg.registry import MODELS
from incseg.utils.pictures import read_picture

LEAF = ROOT / 'configs/mib/bisenet_r101_15-1.py'
MOST, AGREEMENT = 1024, 99.5
SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--megapixels', type=float, default=40)
    parser.add_argument('--crop-size', type=int, default=768)
    parser.add_argument('--stride', type=int, default=448)
    parser.add_argument('--memory', nargs='*', default=['mlp_lite0'])
    parser.add_argument('--agreement', nargs='*', default=['mlp_lite0', 'bisenet_lite0'])
    parser.add_argument('--iterations', type=int, default=80)
    parser.add_argument('--checkpoint', nargs=2, metavar=('FILE', 'IMAGES'))
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    slide = dict(mode='slide', crop_size=args.crop_size, stride=args.stride)
    if args.one:
        name, picture = args.one
        print(memory(name, picture, dict(slide, pooling_passes=0)))
        return
    with tempfile.TemporaryDirectory() as folder:
        pictures = written(Path(folder), args.megapixels)
        rows = [
            (name, path.suffix, in_fresh_process('--one', name, path, *sizes(args)))
            for name in args.memory
            for path in pictures
        ]
    if rows:
        report(
            f'{args.megapixels:g} megapixels from file to label map, windows of {args.crop_size}',
            ('network', 'file', 'MB above the loaded process'),
            [(name, suffix, f'{megabytes:.0f}') for name, suffix, megabytes in rows],
        )
        target('memory', max(row[2] for row in rows), at_most=MOST, unit=' MB')
    agreed = [
        row
        for name in args.agreement
        for row in agreement(name, learned(name, args.iterations), mosaic(8), slide)
    ]
    if args.checkpoint:
        file, folder = args.checkpoint
        network = init_model(None, file, device='cpu')
        agreed += agreement(file, network, mosaic_of(sorted(Path(folder).iterdir())[:64]), slide)
    if agreed:
        report(
            'windows and the whole picture, 4 megapixels',
            ('network', 'passes for global pooling', 'equal pixels'),
            [(name, passes, f'{percent:.2f} %') for name, passes, percent in agreed],
        )
    for name in args.agreement:
        if name.startswith('mlp_lite'):  # no global pooling
            share = max(row[2] for row in agreed if row[0] == name)
            target(f'agreement of {name}', share, at_least=AGREEMENT, unit=' %')


def sizes(args: argparse.Namespace) -> list[str]:
    return ['--crop-size', str(args.crop_size), '--stride', str(args.stride)]


def written(folder: Path, megapixels: float) -> list[Path]:
    """One picture as JPEG and as PNG."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    small = np.random.default_rng(0).integers(0, 256, (height // 16, height * 3 // 32, 3), np.uint8)
    picture = cv2.resize(small, (round(height * 1.5), height), interpolation=cv2.INTER_CUBIC)
    paths = [folder / 'large.jpg', folder / 'large.png']
    for path in paths:
        cv2.imwrite(str(path), picture)
    return paths


def memory(name: str, path: str, slide: dict[str, Any]) -> float:
    """MB that the prediction of a file needs above the loaded network."""
    config = load_config(LEAF, {'model_base': name, 'pretrained': False})
    model = init_model(config, device='cpu', fast=True, test_cfg=slide)
    inference_model(model, np.zeros((300, 300, 3), np.uint8))  # what libraries load at first use
    return peak_above(lambda: inference_model(model, path))


def agreement(
    name: str, model: EncoderDecoder, picture: torch.Tensor, slide: dict[str, Any]
) -> list[tuple[str, int, float]]:
    """Percent of pixels that windows and the whole picture agree on, by number of passes."""
    batch = dict(inputs=[picture], data_samples=None)
    rows = []
    with torch.inference_mode():
        whole = model.test_step(dict(batch))[0].pred_sem_seg.data
        for passes in (0, 1, 2):
            model.prediction = PredictionSettings.of(dict(slide, pooling_passes=passes))
            slid = model.test_step(dict(batch))[0].pred_sem_seg.data
            rows.append((name, passes, 100 * float((slid == whole).double().mean())))
            print(f'{name}, {passes} passes: {rows[-1][2]:.3f} %', flush=True)
            if passes == 1 and rows[0][2] == rows[1][2]:
                break  # no global pooling
    return rows


def learned(name: str, iterations: int) -> EncoderDecoder:
    """A network that has learned Shapes for some iterations."""
    torch.manual_seed(0)
    pretrained = 'lite0' in name  # their weights come as a package
    config = load_config(LEAF, {'model_base': name, 'pretrained': pretrained})
    from incseg.engine.recipe.network import model_of_config

    model = MODELS.build(model_of_config(config, 0, [7], init=True))
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), 0.02, 0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, iterations)
    data = ShapesDataset(split='train', length=4 * iterations, size=SIDE)
    model.train()
    for i in range(iterations):
        samples = [data.get_data_info(4 * i + j) for j in range(4)]
        images = torch.stack([planes(sample['img']) for sample in samples])
        labels = torch.stack([torch.from_numpy(sample['gt_seg_map']) for sample in samples])
        inputs = model.data_preprocessor(dict(inputs=images))['inputs']
        losses = model.loss(inputs, labels.to(torch.uint8))
        optimizer.zero_grad()
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        schedule.step()
    return model.eval()


def planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def mosaic(tiles: int) -> torch.Tensor:
    """Test pictures side by side, uint8 ``(3, H, W)``."""
    data = ShapesDataset(split='test', length=tiles * tiles, size=SIDE)
    return side_by_side([data.get_data_info(i)['img'] for i in range(tiles * tiles)])


def mosaic_of(paths: list[Path]) -> torch.Tensor:
    """A square number of pictures side by side, uint8 ``(3, H, W)``."""
    return side_by_side([cv2.resize(read_picture(path), (SIDE, SIDE)) for path in paths])


def side_by_side(pictures: list[np.ndarray]) -> torch.Tensor:
    tiles = int(len(pictures) ** 0.5)
    images = [planes(picture) for picture in pictures[: tiles * tiles]]
    return torch.cat([torch.cat(images[i::tiles], 2) for i in range(tiles)], 1)


if __name__ == '__main__':
    main()
