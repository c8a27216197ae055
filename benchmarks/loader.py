"""Does the network ever wait for its data? The loader's share of a training step's time.

    python benchmarks/loader.py [--depth 18] [--batch 24] [--workers 16] [--data PHOTOGRAPHS]

Loader and recipe are those of ``configs/mib/bisenet_r101_15-1.py``: JPEGs of VOC's size are decoded
and augmented by the workers while a supervised step of BiSeNet trains.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import cv2
from data_folder import make_folder
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from side_by_side import CUDA, ROOT, report, target
from training import Iteration, Settings

from incseg.apis.config.loading import load_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import config_for_step

SHARE = 5  # percent of a step's time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--depth', type=int, default=18)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--batch', type=int, default=24 if CUDA else 4)
    parser.add_argument('--workers', type=int, default=min(16, os.cpu_count() or 1))
    parser.add_argument('--iterations', type=int, default=100 if CUDA else 8)
    parser.add_argument('--data', type=Path, metavar='PHOTOGRAPHS')
    args = parser.parse_args()
    cv2.setNumThreads(0)  # as the Runner sets it for the workers
    init_default_scope('incseg')
    step = Iteration(args, Settings())
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder), 256, args.data)
        config = load_config(
            ROOT / 'configs/mib/bisenet_r101_15-1.py',
            {
                'pretrained': False,
                'data_root': folder,
                'batch_size': args.batch,
                'num_workers': args.workers,
                'crop_size': args.size,
            },
        )
        settings = config_for_step(Experiment(config), 0, 256, folder).train_dataloader.to_dict()
        settings['batch_sampler'].update(num_iters=args.iterations + 10)
        waited, trained = [], []
        batches = iter(Runner.build_dataloader(settings))
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                break
            waited.append(time.perf_counter() - start)
            step.batch = batch
            start = time.perf_counter()
            step()
            trained.append(time.perf_counter() - start)
    wait, work = (statistics.fmean(seconds[10:]) for seconds in (waited, trained))
    share = wait / (wait + work)
    report(
        f'BiSeNet-R{args.depth}, {args.size} pixels, batch {args.batch}, {args.workers} workers',
        ('a step', 'of which waiting for data', "loader's share"),
        [[f'{1000 * (wait + work):.1f} ms', f'{1000 * wait:.2f} ms', f'{100 * share:.1f} %']],
    )
    target(
        f"the loader's share of a step, R{args.depth}, {args.workers} workers",
        100 * share,
        at_most=SHARE,
        unit=' %',
    )


if __name__ == '__main__':
    main()
