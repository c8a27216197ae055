"""Dense CRF in torch beside pydensecrf2: how many labels are the same, and the time.

    python benchmarks/dense_crf.py [--data-root CAMVID] [--images 10]

The scores are the masks, coarse and with noise, as class activation maps are.  Both filter
approximately, so the same is done once more on photographs a quarter as large, with the deviation
over place a quarter as large too, where the kernel fits into memory and can be applied as it is.

At last the sums over the pixels of each grid point, long runs piece by piece, against one addition
after the other: on a photograph if there is one, and on a flat picture, whose runs are the longest.
"""

import argparse
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from side_by_side import interleaved, machine, ms, times
from torch import Tensor

from incseg.datasets import CamVidDataset
from incseg.models import DenseCRF
from incseg.models.weak.refinement.bilateral_grid import BilateralGrid
from incseg.models.weak.refinement.dense_crf import CLIP, blur, gaussian
from incseg.models.weak.refinement.segmented_sum import SegmentedSum
from incseg.utils.pictures import read_picture

NUM_CLASSES, STRIDE, NOISE, SHRINK = 4, 16, 0.5, 4


def coarse_scores(mask: np.ndarray, generator: torch.Generator) -> Tensor:
    """``(1 + 4, H, W)``: shares of the most frequent classes in 16x16 blocks, noise, softmax."""
    ids = np.bincount(mask[mask != 255]).argsort()[::-1][:NUM_CLASSES]
    maps = [mask == i for i in ids]
    maps.insert(0, ~np.any(maps, 0))
    shares = F.avg_pool2d(torch.from_numpy(np.stack(maps)).float()[None], STRIDE, ceil_mode=True)
    shares += NOISE * torch.rand(shares.shape, generator=generator)
    large = F.interpolate(shares, mask.shape, mode='bilinear', align_corners=False)
    return (3 * large[0]).softmax(0)


def exact(image: Tensor, scores: Tensor, crf: DenseCRF) -> Tensor:
    """The mean field with the bilateral kernel itself, ``(pixels, pixels)``."""
    size = scores.shape[1:]
    y, x = torch.meshgrid(*(torch.arange(n) for n in size), indexing='ij')
    points = (
        torch.stack([y / crf.bilateral_sxy, x / crf.bilateral_sxy, *(image / crf.bilateral_srgb)])
        .flatten(1)
        .T.contiguous()
    )
    kernel = torch.cdist(points, points).square_().div_(-2).exp_()
    over_colour = kernel.sum(1, keepdim=True).rsqrt()
    rows, columns = (gaussian(n, crf.gaussian_sxy, image.device) for n in size)
    over_place = blur(torch.ones(len(points), 1), rows, columns).rsqrt()
    log_scores = scores.clamp(CLIP, 1).log().flatten(1).T
    q = log_scores.softmax(1)
    for _ in range(crf.num_iters):
        near = over_place * blur(q * over_place, rows, columns)
        alike = over_colour * (kernel @ (q * over_colour))
        q = (log_scores + crf.gaussian_weight * near + crf.bilateral_weight * alike).softmax(1)
    return q.T.reshape(scores.shape)


def compare_sums(name: str, image: Tensor) -> None:
    """Print the time of both forms of the sums over each grid point's pixels."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    pieces = BilateralGrid(image.to(device), 80.0, 13.0).spread
    whole = SegmentedSum(pieces.rows, pieces.weights, pieces.counts, len(pieces.rows))
    values = torch.rand(image[0].numel(), 1 + NUM_CLASSES, device=device)
    gap = ((pieces(values) - whole(values)).abs() / whole(values)).max().item()
    took = interleaved(dict(pieces=lambda: pieces(values), whole=lambda: whole(values)), 9)
    print(
        f'sums over grid points, {name}, longest run {int(pieces.counts.max())}: in pieces '
        f'{ms(took["pieces"])}, one after the other {ms(took["whole"])}, '
        f'{times(took["whole"] / took["pieces"])}; largest relative difference {gap:.1e}'
    )


def percent_equal(a: Tensor, b: Tensor) -> float:
    return 100 * (a.argmax(0) == b.argmax(0)).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-root', default='../shared/data/camvid')
    parser.add_argument('--images', type=int, default=10, help='0: only the sums')
    args = parser.parse_args()
    compare_sums('flat picture of 360x480', torch.full((3, 360, 480), 200, dtype=torch.uint8))
    if not args.images:
        print(machine())
        return
    data = CamVidDataset(args.data_root, 'test')
    generator = torch.Generator().manual_seed(0)
    backends = {name: DenseCRF(backend=name) for name in ('torch', 'pydensecrf')}
    small = {name: DenseCRF(bilateral_sxy=80 / SHRINK, backend=name) for name in backends}
    seconds = dict.fromkeys(backends, 0.0)
    rows = []
    for index in np.linspace(0, len(data) - 1, args.images).astype(int):
        info = data.get_data_info(int(index))
        picture = read_picture(info['img_path'], info['picture_rule'])
        image = torch.from_numpy(picture.transpose(2, 0, 1).copy())
        scores = coarse_scores(data.label_reader(info['seg_map_path']), generator)
        found = {}
        for name, crf in backends.items():
            start = time.perf_counter()
            found[name] = crf.refine(image, scores)
            seconds[name] += time.perf_counter() - start
        little = cv2.resize(
            picture, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA
        )
        image = torch.from_numpy(little.transpose(2, 0, 1).copy())
        few = F.avg_pool2d(scores, SHRINK)
        truth = exact(image, few, small['torch'])
        rows.append(
            (
                percent_equal(found['torch'], found['pydensecrf']),
                percent_equal(scores, found['pydensecrf']),
                *(percent_equal(crf.refine(image, few), truth) for crf in small.values()),
            )
        )
    both, before, ours, theirs = np.array(rows).T
    print(f'{args.images} photographs of CamVid, {len(scores)} classes\n{machine()}')
    print(
        f'labels equal to pydensecrf2: mean {both.mean():.2f} %, least {both.min():.2f} % '
        f'(before any CRF: {before.mean():.2f} %)'
    )
    print(
        f'labels equal to the exact kernel, photographs of {little.shape[1]}x{little.shape[0]}: '
        f'torch mean {ours.mean():.2f} %, least {ours.min():.2f} %; pydensecrf2 mean '
        f'{theirs.mean():.2f} %, least {theirs.min():.2f} %'
    )
    compare_sums('photograph', torch.from_numpy(picture.transpose(2, 0, 1).copy()))
    for name, total in seconds.items():
        print(f'{name}: {total / args.images:.2f} s/image')


if __name__ == '__main__':
    main()
