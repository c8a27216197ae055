"""Fixtures shared by all tests: a tiny experiment that trains in seconds."""

import gc
import json
import os
import signal
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from mmengine.registry import init_default_scope
from PIL import Image

from tests.common.toys import TOY_NETWORK

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs'

#: the same examples at every run, as many as CI has time for; HYPOTHESIS_EXAMPLES=5000 tries more
settings.register_profile(
    'incseg',
    derandomize=True,
    max_examples=int(os.environ.get('HYPOTHESIS_EXAMPLES', 50)),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile('incseg')

#: small enough that a step takes about a second on one core
TINY = {
    'data.train.length': 32,
    'data.test.length': 6,
    'data.train.size': 32,
    'data.test.size': 32,
    'batch_size': 8,
    'epochs': 1,
    'schedule.log_interval': 100,
    'schedule.checkpoint_interval': 2,
}


def edit_json(path, change):
    """Change the content of a file that ``write_json`` wrote, as a file without digest."""
    content = json.loads(path.read_text())
    content.pop('digest', None), content.pop('format', None)
    change(content)
    path.write_text(json.dumps(content))


@pytest.fixture(autouse=True, scope='session')
def interruptible():
    """A shell's background jobs ignore Ctrl-C, and so would all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """Small tensors: more threads only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope='session')
def no_repeated_overhead():
    """Half of a tiny training's time is the layout of configs in logs, and garbage collection
    at the start of every data set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.config.FormatCode', lambda text, **options: (text, True))
        patch.setattr('mmengine.dataset.base_dataset.gc', SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture(autouse=True, scope='module')
def no_growing_process():
    """Networks and Runners name each other in circles: free those of a file at its end."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory, monkeypatch):
    """No test reads or leaves anything outside its own folders."""
    monkeypatch.setenv('INCSEG_CACHE_DIR', str(tmp_path_factory.mktemp('cache')))
    init_default_scope('incseg')


@pytest.fixture
def gpu_settings():
    """Sets what decides over a GPU's numbers, ``gpu_settings(tf32=True, benchmark=True)``, and
    puts back what was there."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn

    def put(tf32, benchmark):
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = tf32, tf32, benchmark

    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    yield put
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


@pytest.fixture
def shared_data():
    """The folder of real data beside the repository; skips where it is missing."""
    folder = ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip('the shared data folder is not beside the repository')
    return folder


@pytest.fixture
def free_port():
    """A port for torchrun's processes to meet at, as text; tests run side by side."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def tiny(tmp_path):
    """Load a Shapes config at toy size: ``tiny('mib', epochs=2, **{'a.b': 1})``.

    The network is a toy with one head, unless ``bisenet=True``.
    """
    from incseg.apis import load_config

    def load(method='mib', bisenet=False, **options):
        return load_config(
            CONFIGS / method / 'bisenet_r18_shapes_4-1.py',
            {
                **TINY,
                **({} if bisenet else TOY_NETWORK),
                'base_steps_dir': str(tmp_path / 'base_steps'),
                **options,
            },
        )

    return load


@pytest.fixture
def toy_leaf(tmp_path):
    """Write a config with the toy network, for command lines: ``toy_leaf('mib/…_4-1', 'more')``.

    It has the name of the leaf that it is based on; ``more`` is added to its text.
    """

    def write(leaf, more='', imports=(), norm='BN'):
        path = tmp_path / f'{leaf}.py'
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"_base_ = ['{CONFIGS}/{leaf}.py']\n"
            f'custom_imports = dict(imports={["tests.common.toys", *imports]!r})\n'
            f"model = dict(backbone=dict(_delete_=True, type='ToyBackbone', norm={norm!r}), "
            f'auxiliary_head=None)\n{more}'
        )
        return str(path)

    return write


@pytest.fixture
def tiny_seam(tmp_path):
    """Load a Shapes config with a ``seam`` section at toy size: ``tiny_seam(**{'a.b': 1})``."""
    from incseg.apis import load_config

    leaf = tmp_path / 'seam_shapes.py'
    leaf.write_text(
        f"_base_ = ['{CONFIGS}/mib/bisenet_r18_shapes_4-1.py', '{CONFIGS}/_base_/seam/shapes.py']\n"
    )

    def load(**options):
        return load_config(
            leaf,
            {
                **TINY,
                'base_steps_dir': str(tmp_path / 'base_steps'),
                'protocol.name': '4-2',
                'seam.schedule.epochs': 1,
                'seam.schedule.batch_size': 8,
                'seam.schedule.log_interval': 100,
                'seam.schedule.checkpoint_interval': 2,
                'seam.model.backbone.output_stride': 8,
                **options,
            },
        )

    return load


@pytest.fixture
def colour_cams():
    """A stand-in for a network of class activation maps, registered as ``ColourCams``.

    Class ``i`` is where colour channel ``i mod 3`` is bright, so its maps can be worked out.
    """
    from torch import nn

    from incseg.models import SegDataPreProcessor
    from incseg.registry import MODELS

    @MODELS.register_module(force=True)
    class ColourCams(nn.Module):
        stride = 4

        def __init__(self, num_classes=3, frozen=False):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(num_classes))
            self.data_preprocessor = SegDataPreProcessor([0.0, 0.0, 0.0], [255.0, 255.0, 255.0])
            self.calls = []

        def cams(self, inputs):
            self.calls.append(tuple(inputs.shape))
            size = [max(n // self.stride, 2) for n in inputs.shape[2:]]
            small = nn.functional.interpolate(inputs, size, mode='bilinear', align_corners=True)
            channels = [i % 3 for i in range(len(self.weight))]
            maps = small[:, channels] * self.weight.view(-1, 1, 1)
            return maps, torch.cat([1 - maps.amax(1, keepdim=True), maps], 1)

    return ColourCams


@pytest.fixture
def tiny_wilson(tmp_path):
    """Load WILSON's Shapes config at toy size, as ``tiny`` does."""
    from incseg.apis import load_config

    def load(**options):
        return load_config(
            CONFIGS / 'wilson' / 'bisenet_r18_shapes_4-2.py',
            {
                **TINY,
                **TOY_NETWORK,
                'epochs': 2,
                'warmup_epochs': 1,
                'base_steps_dir': str(tmp_path / 'base_steps'),
                **options,
            },
        )

    return load


@pytest.fixture
def make_coco(tmp_path):
    """A COCO-shaped folder of pictures of 40 x 30: ``make_coco(train={'7': [('person', 2, 3, 9,
    8)]}, val={…})``, an image's objects as (name, left, top, right, bottom), rectangles."""
    from incseg.datasets.sources.coco import COCO_CATEGORIES

    ids = {name: i for i, name in COCO_CATEGORIES.items()}

    def make(**splits):
        root = tmp_path / 'coco'
        (root / 'annotations').mkdir(parents=True)
        for split, pictures in splits.items():
            (root / f'{split}2017').mkdir()
            images, annotations = [], []
            for number, (name, objects) in enumerate(pictures.items(), 1):
                pixels = np.random.default_rng(number).integers(0, 255, (30, 40, 3), np.uint8)
                Image.fromarray(pixels).save(root / f'{split}2017/{name}.jpg')
                images.append(dict(id=number, file_name=f'{name}.jpg', height=30, width=40))
                for category, left, top, right, bottom in objects:
                    corners = [left, top, right, top, right, bottom, left, bottom]
                    annotations.append(
                        dict(
                            id=len(annotations) + 1,
                            image_id=number,
                            category_id=ids[category],
                            iscrowd=0,
                            segmentation=[corners],
                        )
                    )
            categories = [dict(id=i, name=name) for i, name in COCO_CATEGORIES.items()]
            (root / f'annotations/instances_{split}2017.json').write_text(
                json.dumps(dict(images=images, annotations=annotations, categories=categories))
            )
        return root

    return make


@pytest.fixture(scope='session')
def tool_environment(tmp_path_factory):
    """The environment in which command-line tests start tools."""
    return dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHONPATH=str(ROOT),
        INCSEG_CACHE_DIR=str(tmp_path_factory.mktemp('tool_cache')),
    )
