"""Time a training step of MMSegmentation's BiSeNetV1, by its own config for 512 x 512.

    python benchmarks/mmseg_step.py DEPTH SIZE BATCH ITERATIONS [--bf16] [--channels-last] [--tf32]

Needs mmsegmentation 1.2.2 and the mmcv (or mmcv-lite) 2.1 that it accepts, on PYTHONPATH.  Runs on
the GPU if there is one.  The step is what its training loop does: the batch to the device, autocast
if asked for, forward, losses, backward, the config's optimiser.  Prints ``… N ms/img``, a median.
"""

import argparse
import statistics
import sys
import time
import types
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.structures import PixelData

NAME = 'bisenetv1/bisenetv1_r{}-d32_4xb4-160k_coco-stuff164k-512x512.py'
CLASSES = 21


def without_compiled_operations() -> None:
    """mmcv-lite has none, and BiSeNet uses none, but other heads import their names."""
    ops: Any = types.ModuleType('mmcv.ops')
    ops.__getattr__ = lambda name: type(name, (), {})
    ops.__path__, ops.__file__ = [], __file__
    sys.modules.setdefault('mmcv.ops', ops)


def one_process(part: Any) -> Any:
    """A config for 21 classes in one process: BatchNorm in place of the synchronised one."""
    if isinstance(part, dict):
        changed = {key: one_process(value) for key, value in part.items()}
        return {**changed, **({'num_classes': CLASSES} if 'num_classes' in part else {})}
    if isinstance(part, (list, tuple)):
        return [one_process(item) for item in part]
    return 'BN' if part == 'SyncBN' else part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ('depth', 'size', 'batch', 'iterations'):
        parser.add_argument(name, type=int)
    for name in ('--bf16', '--channels-last', '--tf32'):
        parser.add_argument(name, action='store_true')
    args = parser.parse_args()
    without_compiled_operations()
    import mmseg
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules

    register_all_modules()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    config = Config.fromfile(Path(mmseg.__file__).parent / '.mim/configs' / NAME.format(args.depth))
    torch.backends.cudnn.benchmark = config.env_cfg.cudnn_benchmark
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    settings = one_process(config.model.to_dict())
    settings['data_preprocessor']['size'] = (args.size, args.size)
    torch.manual_seed(0)
    model = MODELS.build(settings).to(device).train()
    if args.channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer_settings = config.optim_wrapper.optimizer.to_dict()
    optimizer = getattr(torch.optim, optimizer_settings.pop('type'))(
        model.parameters(), **optimizer_settings
    )
    size = (args.size, args.size)
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for _ in range(args.batch)]
    labels = [torch.randint(0, CLASSES, (1, *size)) for _ in images]

    def step() -> None:
        samples = [
            SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(img_shape=size))
            for label in labels
        ]
        with torch.autocast(device, torch.bfloat16, enabled=args.bf16):
            data = model.data_preprocessor(
                dict(inputs=list(images), data_samples=samples), training=True
            )
            losses = model(**data, mode='loss')
        model.parse_losses(losses)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == 'cuda':
            torch.cuda.synchronize()

    took = []
    for _ in range(args.iterations + (5 if device == 'cuda' else 1)):
        start = time.perf_counter()
        step()
        took.append(time.perf_counter() - start)
    median = statistics.median(took[-args.iterations :])
    print(
        f'MMSegmentation {mmseg.__version__}, BiSeNetV1-R{args.depth}, on {device}: '
        f'{1000 * median / args.batch:.3f} ms/img'
    )


if __name__ == '__main__':
    main()
