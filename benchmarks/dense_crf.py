"""Dense CRF in torch beside pydensecrf2: how many labels are the same, and the time.

The scores are the masks, coarse and with noise, as class activation maps are.
"""
import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from incseg.datasets import CamVidDataset
from incseg.models import DenseCRF

NUM_CLASSES, STRIDE, NOISE = 4, 16, .5


def coarse_scores(mask: np.ndarray, generator: torch.Generator) -> torch.Tensor:
    """``(1 + 4, H, W)``: shares of the most frequent classes in 16x16 blocks, noise, softmax."""
    ids = np.bincount(mask[mask != 255]).argsort()[::-1][:NUM_CLASSES]
    maps = [mask == i for i in ids]
    maps.insert(0, ~np.any(maps, 0))
    shares = F.avg_pool2d(torch.from_numpy(np.stack(maps)).float()[None], STRIDE, ceil_mode=True)
    shares += NOISE * torch.rand(shares.shape, generator=generator)
    large = F.interpolate(shares, mask.shape, mode='bilinear', align_corners=False)
    return (3 * large[0]).softmax(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-root', default='../shared/data/camvid')
    parser.add_argument('--images', type=int, default=10)
    args = parser.parse_args()
    data = CamVidDataset(args.data_root, 'test')
    generator = torch.Generator().manual_seed(0)
    backends = {name: DenseCRF(backend=name) for name in ('torch', 'pydensecrf')}
    seconds = dict.fromkeys(backends, 0.)
    same, before, difference = [], [], []
    for index in np.linspace(0, len(data) - 1, args.images).astype(int):
        info = data.get_data_info(int(index))
        image = torch.from_numpy(cv2.imread(info['img_path']).transpose(2, 0, 1).copy())
        scores = coarse_scores(data.label_reader(info['seg_map_path']), generator)
        found = {}
        for name, crf in backends.items():
            start = time.perf_counter()
            found[name] = crf.refine(image, scores)
            seconds[name] += time.perf_counter() - start
        labels = {name: q.argmax(0) for name, q in found.items()}
        same.append(100 * (labels['torch'] == labels['pydensecrf']).float().mean().item())
        before.append(100 * (scores.argmax(0) == labels['pydensecrf']).float().mean().item())
        difference.append((found['torch'] - found['pydensecrf']).abs().mean().item())
    print(f'{args.images} images of {tuple(image.shape[1:])}, {len(scores)} classes, '
          f'{torch.get_num_threads()} threads')
    print(f'labels equal: mean {np.mean(same):.2f} %, least {min(same):.2f} % '
          f'(before any CRF: {np.mean(before):.2f} %)')
    print(f'mean difference of probabilities: {np.mean(difference):.4f}')
    for name, total in seconds.items():
        print(f'{name}: {total / args.images:.2f} s/image')


if __name__ == '__main__':
    main()
