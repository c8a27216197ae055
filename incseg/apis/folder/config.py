"""The config that trains on a folder: its text, and what is chosen for the reader."""

import importlib.util
import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from incseg.apis.folder.report import FolderReport
from incseg.models.weights import PACKAGES
from incseg.protocols import Protocol
from incseg.utils.repository import library_files
from incseg.utils.rules import any_of, expected

#: least and most iterations of a step, and their factor on the root of its images
LEAST, MOST, FACTOR = 200, 4000, 40
#: sides of crops, and the longer side of whole images, in pixels: without and with a GPU
CROPS, LONG_SIDES, BATCHES = (192, 512), (640, 1280), (8, 16)


@dataclass(frozen=True)
class Choices:
    """What a config is written with.

    Attributes:
        network, method: Names of bases in ``configs/_base_``.
        pretrained: Whether ImageNet weights are at hand.
        protocol: Name of the protocol.
        batch_size, crop_size: Of the training.
        image_scale: Factor on every image.
        epochs: Of step 0, and of later steps.
    """

    network: str
    method: str
    pretrained: bool
    protocol: str
    batch_size: int
    crop_size: int
    image_scale: float
    epochs: tuple[int, ...]


def choose(report: FolderReport, protocol: str | None, network: str | None, method: str) -> Choices:
    """Choose network, protocol and schedule for a folder.

    Args:
        report: What is in the folder.
        protocol, network, method: The user's own choices; None leaves them to this function.

    Raises:
        InvalidInputError: There is no such base, or the protocol does not fit the classes.
    """
    total = len(report.learnable)
    name = default_protocol(total) if protocol is None else protocol
    steps = Protocol.parse(name, total).steps
    at_hand, pretrained = network_at_hand()
    if network is not None:
        _check_base('models', '--network', network)
        at_hand, pretrained = network, network == at_hand and pretrained
    _check_base('methods', '--method', method)
    gpu = torch.cuda.is_available()
    long_side, short_side = _usual_sides(report)
    scale = min(1.0, LONG_SIDES[gpu] / long_side)
    crop = max(32, min(CROPS[gpu], int(short_side * scale)) // 32 * 32)
    per_step = [_images_of(report, ids) for ids in steps]
    batch = max(1, min(BATCHES[gpu], min(per_step)))
    counts = [per_step[0], *([max(per_step[1:])] if per_step[1:] else [])]
    epochs = tuple(math.ceil(iterations(n) * batch / n) for n in counts)
    return Choices(at_hand, method, pretrained, name, batch, crop, float(f'{scale:.3g}'), epochs)


def iterations(images: int) -> int:
    """Return the iterations of a step with so many images: effort grows slower than data."""
    return round(min(max(FACTOR * math.sqrt(images), LEAST), MOST))


def default_protocol(classes: int) -> str:
    """Return the protocol for a number of classes: about two thirds first, then the rest.

    One class is one step (``'offline'``).
    """
    if classes == 1:
        return 'offline'
    rest = max(1, round(classes / 3))
    return f'{classes - rest}-{rest}'


def network_at_hand() -> tuple[str, bool]:
    """Return the network whose ImageNet weights are on this machine, and whether there are any."""
    package = PACKAGES['tf_efficientnet_lite0']
    if all(importlib.util.find_spec(name) for name in ('timm', package.module)):
        return 'bisenet_lite0', True
    cached = Path(torch.hub.get_dir(), 'checkpoints').glob('resnet18-*.pth')
    return 'bisenet_r18', any(cached)


def _check_base(folder: str, option: str, name: str) -> None:
    there = sorted(path.stem for path in (library_files() / 'configs/_base_' / folder).glob('*.py'))
    if name not in there:
        raise expected(option, name, any_of(there))


def _usual_sides(report: FolderReport) -> tuple[int, int]:
    """Return the medians of the longer and of the shorter sides of the images."""
    sides = sorted(report.sizes.elements(), key=max), sorted(report.sizes.elements(), key=min)
    return max(sides[0][len(sides[0]) // 2]), min(sides[1][len(sides[1]) // 2])


def _images_of(report: FolderReport, ids: tuple[int, ...]) -> int:
    """Return how many training images show one of some classes."""
    names = {report.learnable[i - 1] for i in ids}
    return max(1, report.images_with(names))


def config_text(report: FolderReport, choices: Choices) -> str:
    """Return the text of a config that trains on a folder.

    Args:
        report: What is in the folder.
        choices: See :func:`choose`.
    """
    configs = library_files() / 'configs' / '_base_'
    bases = [
        f'models/{choices.network}.py',
        'data/folder.py',
        'schedules/folder.py',
        f'methods/{choices.method}.py',
    ]
    lines = [
        f'# written by incseg init for {report.root}: {report.train_images} images to learn from',
        '_base_ = [',
        *(f'    {str(configs / base)!r},' for base in bases),
        ']',
        f'data_root = {str(Path(report.root).resolve())!r}',
    ]
    if report.layout.is_coco:
        lines += [f'masks = {report.layout.masks!r}']
    else:
        lines += [f'images = {report.layout.images!r}', f'masks = {report.layout.masks!r}']
    lines += ['', *_ids(report), '', *_classes(report), '']
    lines += [f'train_split = {report.train!r}', f'test_split = {_test_split(report)!r}']
    if report.held_out is not None:
        lines += [
            '# the share of the images that is tested on, at most 100; chosen by content, so no',
            '# image that is learned from is tested on when the folder grows',
            f'held_out = {report.held_out}',
        ]
    if report.exif != 'apply':
        lines += [f'exif = {report.exif!r}  # the masks fit the images as they are stored']
    name = re.sub(r'[^\w.+-]', '_', Path(report.root).resolve().name) or 'folder'
    lines += [f'data = dict(name={name!r}{_only_with_masks(report)})', '']
    lines += [*_protocol(report, choices), '', *_training(choices), '']
    return '\n'.join(lines)


def _ids(report: FolderReport) -> list[str]:
    what = 'category' if report.layout.is_coco else 'colour' if report.coloured else 'id'
    lines = [f'# the {what} of each class in the masks', 'ids = {']
    for each in report.classes:
        if report.layout.is_coco and (each.name == 'background' or not each.images):
            continue
        value = list(each.value) if isinstance(each.value, tuple) else each.value
        note = '' if each.images else '  # in no mask'
        lines.append(f'    {each.name!r}: {value!r},{note}')
    return [*lines, '}']


def _classes(report: FolderReport) -> list[str]:
    lines = [
        '# the classes to learn, in this order; pixels of others become background, or with',
        "# others = 'void' nothing is learned from them",
        'classes = [',
    ]
    lines += [f'    {name!r},' for name in report.learnable]
    names = [each.name for each in report.classes if each.learned]
    left = [name for name in names if name not in report.learnable]
    return [*lines, *(f'    # {name!r},  in no training image' for name in left), ']']


def _test_split(report: FolderReport) -> str:
    return 'val' if report.held_out is not None else report.test


def _only_with_masks(report: FolderReport) -> str:
    if not report.without_mask:
        return ''
    return ', train=dict(only_with_masks=True), test=dict(only_with_masks=True)'


def _protocol(report: FolderReport, choices: Choices) -> list[str]:
    steps = Protocol.parse(choices.protocol, len(report.learnable)).steps
    shown = ' | '.join(', '.join(report.learnable[i - 1] for i in ids) for ids in steps[:4])
    more = ' | …' if len(steps) > 4 else ''
    return [
        "# which classes each step learns: '<first step>-<each later step>', or 'offline' for all",
        f'# at once; here: {shown}{more}',
        f"protocol = dict(name={choices.protocol!r}, setting='overlap', class_order=None)",
    ]


def _training(choices: Choices) -> list[str]:
    lines = []
    if choices.pretrained:
        lines += ['pretrained = True  # ImageNet weights that are on this machine']
    else:
        lines += [
            '# no ImageNet weights are on this machine; True downloads them, and most photographs',
            '# need them',
            'pretrained = False',
        ]
    epochs = list(choices.epochs) if len(choices.epochs) > 1 else choices.epochs[0]
    lines += [
        f'epochs = {epochs}  # of step 0, and of every later step',
        f'batch_size = {choices.batch_size}',
        f'crop_size = {choices.crop_size}  # pixels that a training image is cut to',
    ]
    if choices.image_scale != 1:
        lines += [f'image_scale = {choices.image_scale}  # of every image: they are large']
    return lines
