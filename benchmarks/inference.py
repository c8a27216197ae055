"""Predicting one image: latency of each measure alone and of all, share of pixels that agree.

    python benchmarks/inference.py [--depth 101] [--compile] [--checkpoint final.pth --config c.py]

"plain" is the network as it is in float32 and NCHW, its logits upsampled at once.  With a
checkpoint, predictions are compared on the config's test images.  Without, on blobs, with random
weights and a BatchNorm that has seen noise and blobs: all 21 classes are then nearly equal
everywhere, as in no trained network, so that low precision changes more pixels than it would.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from side_by_side import (
    CUDA,
    in_fresh_process,
    interleaved,
    ms,
    peak_above,
    report,
    synchronise,
    target,
    times,
)
from torch import Tensor

from incseg.apis import init_model, load_config, prepare_for_inference
from incseg.apis.config.loading import parse_options
from incseg.apis.prepare import (
    PARTS,
    fold_batch_norm,
    merge_classifiers,
    set_layout,
    without_training_parts,
)
from incseg.engine.recipe.data import dataset_config
from incseg.engine.recipe.experiment import Experiment
from incseg.models import EncoderDecoder
from incseg.models.decode_heads.class_map import class_map, class_map_at_once
from incseg.registry import DATASETS
from incseg.utils.precision import computes_in_bfloat16

DEVICE = torch.device('cuda' if CUDA else 'cpu')
HAS_BF16 = computes_in_bfloat16(DEVICE)
#: a GPU waits for launches at batch 1, whatever is saved in them
SPEED, AGREEMENT = 1.5 if CUDA else 2, 99.5
ALL = 'all, prepare_for_inference'
LABELS = {'at once': class_map_at_once, 'by rows': class_map}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--depth', type=int, default=18)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--rounds', type=int, default=200 if CUDA else 15)
    parser.add_argument('--images', type=int, default=4, help='to compare predictions on')
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--config', help="the checkpoint's config")
    parser.add_argument('--checkpoint')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE')
    parser.add_argument('--memory', choices=LABELS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        call = LABELS[args.memory]
        call(torch.randn(21, 8, 8), (64, 64))  # what torch itself loads at the first call
        logits = torch.randn(21, args.size // 8, args.size // 8, device=DEVICE)
        print(peak_above(lambda: call(logits, (args.size, args.size))))
        return
    images = [smooth_image(args.size, seed) for seed in range(args.images)]
    if args.checkpoint:
        config = load_config(args.config, parse_options(args.cfg_options))
        network = init_model(config, args.checkpoint, str(DEVICE))
        compared = test_images(config, args.images)
    else:
        network = untrained(args.depth, args.size)
        compared = images
    with torch.no_grad():
        latency(network, images[0], args)
        labels(args)
        agreement(network, compared, args)


def untrained(depth: int, size: int) -> EncoderDecoder:
    """BiSeNet with random weights, statistics of noise and smooth images, and all 21 classes."""
    torch.manual_seed(0)
    model = EncoderDecoder(
        dict(type='BiSeNet', depth=depth),
        dict(type='FCNHead'),
        [16, 1, 1, 1, 1, 1],
        dict(aux_16=dict(type='FCNHead', in_index=1)),
    )
    convs: Any = model.decode_head.classifier.convs  # type: ignore[union-attr]
    with torch.no_grad():
        for conv in convs:
            torch.nn.init.normal_(conv.weight, std=conv.in_channels**-0.5)
        for seed in range(8):
            images = [smooth_image(128, 100 + 2 * seed), torch.randint(0, 256, (3, 128, 128))]
            model.extract(model.data_preprocessor(dict(inputs=images))['inputs'])
        model = model.to(DEVICE).eval()
        image = smooth_image(size, 99).to(DEVICE)
        means = model(model.data_preprocessor(dict(inputs=[image]))['inputs']).mean((0, 2, 3))
        for conv, mean in zip(convs, means.split([conv.out_channels for conv in convs])):
            conv.bias -= mean  # each class wins somewhere
    return model


def test_images(config: Any, number: int) -> list[Tensor]:
    """Images spread over the config's test set, as the network gets them."""
    experiment = Experiment(config)
    data = DATASETS.build(dataset_config(experiment, experiment.num_steps - 1, 'test'))
    return [data[i * len(data) // number]['inputs'] for i in range(min(number, len(data)))]


def smooth_image(size: int, seed: int) -> Tensor:
    """Blobs with some noise, uint8 ``(3, size, size)``."""
    generator = torch.Generator().manual_seed(seed)
    blobs = F.interpolate(
        torch.rand(1, 3, 16, 16, generator=generator), (size, size), mode='bicubic'
    )[0]
    return (
        (255 * blobs + 10 * torch.randn(3, size, size, generator=generator))
        .clamp(0, 255)
        .to(torch.uint8)
    )


def predictor(
    model: EncoderDecoder, image: Tensor, labels: Callable = class_map_at_once
) -> Callable[[], Tensor]:
    """A call from an image on the CPU to its label map."""
    size = (image.shape[-2], image.shape[-1])

    def predict() -> Tensor:
        inputs = model.data_preprocessor(dict(inputs=[image]))['inputs']
        return labels(model(inputs)[0], size)

    return predict


def variants(network: EncoderDecoder, compiled: bool) -> dict[str, EncoderDecoder]:
    """The plain network and copies with one measure each."""
    result = {'plain': without_training_parts(network)}
    set_layout(result['plain'], channels_last=False)
    measures: dict[str, Callable[[EncoderDecoder], object]] = {
        'BatchNorm folded': lambda model: fold_batch_norm(model, PARTS, model),
        'one classifier': merge_classifiers,
        'channels last': lambda model: set_layout(model, True),
    }
    if HAS_BF16:
        measures['bfloat16'] = lambda model: [getattr(model, name).bfloat16() for name in PARTS]
    if CUDA:
        measures['float16'] = lambda model: [getattr(model, name).half() for name in PARTS]
    if compiled:
        measures['compiled'] = lambda model: [getattr(model, name).compile() for name in PARTS]
    for name, change in measures.items():
        result[name] = without_training_parts(result['plain'])
        change(result[name])
    return result


def latency(network: EncoderDecoder, image: Tensor, args: argparse.Namespace) -> None:
    networks = variants(network, args.compile)
    calls = {name: predictor(model, image) for name, model in networks.items()}
    calls['labels by rows'] = predictor(networks['plain'], image, class_map)
    fast = prepare_for_inference(network, compile=args.compile)
    calls[ALL] = predictor(fast, image, class_map)
    if HAS_BF16:
        calls['all, float32'] = predictor(
            prepare_for_inference(network, 'float32', compile=args.compile), image, class_map
        )
    took: dict[str, list[float]] = {name: [] for name in calls}
    warm = 3 if CUDA or args.compile else 1
    for turn in range(args.rounds + warm):
        for name, call in calls.items():
            synchronise()
            start = time.perf_counter()
            call()
            synchronise()
            if turn >= warm:
                took[name].append(time.perf_counter() - start)
    rows, gains, plain = [], {}, statistics.median(took['plain'])
    for name, values in took.items():
        cuts = statistics.quantiles(values, n=100, method='inclusive')
        gains[name] = plain / cuts[49]
        rows.append([name, *(ms(cuts[n - 1]) for n in (50, 90, 99)), times(gains[name])])
    report(
        f'One image of {args.size}x{args.size}, '
        f'{args.checkpoint or f"BiSeNet-R{args.depth}, 21 classes"}, one measure at a time',
        ('measure', 'p50', 'p90', 'p99', 'gain'),
        rows,
    )
    target(
        f'inference, {title(args)}, all together',
        gains[ALL] if HAS_BF16 else None,
        at_least=SPEED,
        because='this device has no bfloat16 instructions',
    )


def title(args: argparse.Namespace) -> str:
    return args.checkpoint or f'R{args.depth}'


def labels(args: argparse.Namespace) -> None:
    size = (args.size, args.size)
    logits = torch.randn(21, size[0] // 8, size[1] // 8, device=DEVICE)
    took = interleaved({name: partial(call, logits, size) for name, call in LABELS.items()}, 15)
    report(
        '\nFrom 21 low-resolution logits to labels (a GPU makes them at once)',
        ('form', 'time', 'gain', 'extra memory'),
        [
            [
                name,
                ms(seconds),
                times(took['at once'] / seconds),
                f'{in_fresh_process("--memory", name, "--size", args.size):.1f} MB',
            ]
            for name, seconds in took.items()
        ],
    )


def agreement(network: EncoderDecoder, images: list[Tensor], args: argparse.Namespace) -> None:
    trained = bool(args.checkpoint)
    plain = without_training_parts(network)
    set_layout(plain, channels_last=False)
    expected = [predictor(plain, image)() for image in images]
    seen = len(torch.cat([labels.flatten() for labels in expected]).unique())
    rows, shares = [], {}
    for dtype in ('float32', 'bfloat16'):
        fast = prepare_for_inference(network, dtype)
        same = [
            (predictor(fast, image, class_map)() == labels).float().mean()
            for image, labels in zip(images, expected)
        ]
        shares[dtype] = 100 * float(torch.stack(same).mean())
        rows.append([dtype, f'{shares[dtype]:.3f} %', f'{100 * float(min(same)):.3f} %'])
    report(
        f"\nPixels with the plain network's class, {len(images)} "
        f'{"test images" if trained else "blobs, random weights"}, {seen} classes seen',
        ('weights', 'all', 'worst image'),
        rows,
    )
    target(
        f"pixels with the plain network's class, {title(args)}, bfloat16",
        shares['bfloat16'] if trained else None,
        at_least=AGREEMENT,
        unit=' %',
        because='random weights: --checkpoint names trained ones',
        asked=trained,
    )


if __name__ == '__main__':
    main()
