"""Make a small ``final.pth`` of today's format and the labels that it predicts.

    PYTHONPATH=. python tests/formats/make.py

writes ``format_<number>.pth`` and, if there are none yet, ``labels.npz`` beside this file.  A file
of an older format is never made anew: it is what a version of then wrote.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

#: a pixel counts if its best logit is that much above the next one, on any processor
MARGIN = 0.01


def picture() -> np.ndarray:
    """Return the image that is segmented, uint8 ``(48, 64, 3)``, BGR, from integers alone."""
    rows, columns, channels = np.ogrid[:48, :64, :3]
    discs = ((rows - 20) ** 2 + (columns - 22) ** 2 < 150) | (abs(columns - 50) < 8) & (rows > 20)
    pixels = (rows * 3 + columns * 2 + 40 * channels) % 90 + 140 * discs * (channels != 1)
    return pixels.astype(np.uint8)


def main() -> None:
    from incseg.apis import init_model, load_config
    from incseg.apis.inference import inference_model
    from incseg.engine import train_protocol
    from incseg.engine.checkpoint import FORMAT

    config = load_config(HERE / 'toy.py')
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        train_protocol(config, 'run', [0, 1], reuse=False)
        target = HERE / f'format_{FORMAT}.pth'
        shutil.copyfile('run/step_1/final.pth', target)
    if not (HERE / 'labels.npz').exists():
        model = init_model(target, device='cpu')
        sample = inference_model(model, picture())
        labels = sample.pred_sem_seg.data[0].numpy().astype(np.uint8)
        logits = full_size_logits(model, labels.shape)
        best = logits.topk(2, 0).values
        labels[(best[0] - best[1] < MARGIN).numpy()] = 255
        np.savez_compressed(HERE / 'labels.npz', labels=labels)


def full_size_logits(model, size):
    """Return the logits of the picture at its own size, ``(classes, H, W)``."""
    from incseg.apis.inference import whole_image_pipeline

    inputs = whole_image_pipeline(model.config)(dict(img=picture()))['inputs'][None]
    inputs = model.data_preprocessor(dict(inputs=inputs))['inputs']
    with torch.no_grad():
        logits = model.extract(inputs, auxiliary=False).logits['decode_head']
    return torch.nn.functional.interpolate(
        logits.float(), size, mode='bilinear', align_corners=False
    )[0]


if __name__ == '__main__':
    main()
