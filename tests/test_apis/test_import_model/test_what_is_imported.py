"""What becomes of a file, its classes and its background."""

import json

import pytest
import torch
from mmengine.logging import MessageHub

from incseg.apis import Inferencer, init_model, prepare_for_inference
from incseg.apis.import_model import import_model
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.models.importers import with_background
from tests.common.imported import BASE, imported_toy, know_toy, toy_weights
from tests.conftest import CONFIGS


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    know_toy(monkeypatch)


def picture(size=(97, 131)):
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(path):
    return init_model(path, device='cpu').extract(picture()).full_size('decode_head')


def bring(folder, content, classes=BASE, name='net.pth', **options):
    torch.save(content, folder / name)
    return import_model(folder / name, 'toy', folder / 'out', classes, **options)[0]


def history():
    hub = MessageHub.get_instance('of an import')
    hub.update_scalar('train/loss', torch.tensor(3.0))
    hub.update_scalar('train/lr', 0.1)
    return hub.state_dict()


@pytest.mark.parametrize(
    'wrap',
    [
        lambda s: {'state_dict': s, 'epoch': 3},
        lambda s: {'model': {f'module.{key}': value for key, value in s.items()}},
        lambda s: {'state_dict': {f'model._orig_mod.{key}': value for key, value in s.items()}},
        lambda s: {'state_dict': s, 'meta': {'epoch': 2}, 'message_hub': history()},
        lambda s: {'model_state_dict': {key: value.half() for key, value in s.items()}},
    ],
)
def test_wrapped_checkpoints(tmp_path, wrap):
    """If it fails, the checkpoints of a usual training code are not read."""
    (tmp_path / 'plain').mkdir()
    expected = logits(bring(tmp_path / 'plain', toy_weights()))
    found = logits(bring(tmp_path, wrap(toy_weights())))
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize('upper', [True, False])
def test_classes_and_colours_of_mmengines_meta(tmp_path, upper):
    """If it fails, a checkpoint that names its classes needs a file of them."""
    colours = [[i, 10, 20] for i in range(5)]
    meta = dict(CLASSES=tuple(BASE), PALETTE=colours) if upper else None
    meta = meta or dict(dataset_meta=dict(classes=tuple(BASE), palette=colours))
    made = read_step_checkpoint(bring(tmp_path, dict(state_dict=toy_weights(), meta=meta), None))
    assert (made['meta']['classes'], made['meta']['palette']) == (BASE, colours)


def test_safetensors(tmp_path):
    torch_files = pytest.importorskip('safetensors.torch', reason='safetensors is not installed')
    torch_files.save_file(toy_weights(), tmp_path / 'net.safetensors')
    path, _ = import_model(tmp_path / 'net.safetensors', 'toy', tmp_path / 'out', BASE)
    assert torch.equal(logits(path), logits(imported_toy(tmp_path / 'torch')))


def test_files_of_classes(tmp_path):
    """If it fails, one of the two forms of the file is not read."""
    (tmp_path / 'lines.txt').write_text('\n'.join(['__background__', *BASE[1:]]) + '\n\n')
    (tmp_path / 'list.json').write_text(json.dumps(BASE))
    for i, file in enumerate(('lines.txt', 'list.json')):
        torch.save(toy_weights(), tmp_path / 'net.pth')
        path, _ = import_model(tmp_path / 'net.pth', 'toy', tmp_path / str(i), tmp_path / file)
        assert read_step_checkpoint(path)['meta']['classes'] == BASE


def test_the_background_comes_first(tmp_path):
    """If it fails, a network with its background elsewhere predicts another class as background."""
    names = ['disc', 'square', 'background', 'triangle', 'ring']
    expected = logits(imported_toy(tmp_path / 'a'))
    found = logits(imported_toy(tmp_path / 'b', names))
    torch.testing.assert_close(found, expected[:, [2, 0, 1, 3, 4]])


def test_the_order_of_a_config(tmp_path):
    """If it fails, outputs and names part when they are brought into the config's order."""
    names = ['background', 'square', 'ring', 'disc', 'triangle']
    torch.save(toy_weights(), tmp_path / 'net.pth')
    leaf = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'
    path, notes = import_model(tmp_path / 'net.pth', 'toy', tmp_path / 'b', names, order=leaf)
    assert init_model(path, device='cpu').dataset_meta['classes'] == BASE
    assert any(line.startswith('order') and 'it was background, square' in line for line in notes)
    expected = logits(imported_toy(tmp_path / 'a'))
    torch.testing.assert_close(logits(path), expected[:, [0, 3, 1, 4, 2]])


@torch.no_grad()
def test_an_added_background_never_wins(tmp_path):
    """If it fails, a prediction changes, or the new output is out of the reach of a loss."""
    found = logits(imported_toy(tmp_path, BASE[1:], background=False))
    largest = found[:, 1:].amax(1)
    assert bool((found[:, 0] < largest - 0.9).all())
    torch.testing.assert_close(found[:, 0], found[:, 1:].mean(1) - 1, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_one_class_alone_is_a_network_of_sigmoids(tmp_path):
    """If it fails, a network of one output finds its class everywhere."""
    state = {'decode_head.classifier.steps.0.weight': torch.ones(1, 2, 1, 1)}
    state['decode_head.classifier.steps.0.bias'] = torch.ones(1)
    for value in with_background(state).values():
        assert value[0].abs().sum() == 0 and value[1].abs().sum() > 0


def test_key_map(tmp_path):
    """If it fails, a rule of a key map is not applied, or in another order than it says."""
    weights = {
        (key.replace('backbone.', 'enc.') if 'layers.0' in key else key): value
        for key, value in {
            key.replace('theirs.', 'backbone.'): value for key, value in toy_weights().items()
        }.items()
    }
    weights = {key.replace('decode_head.conv.', 'head/'): value for key, value in weights.items()}
    weights['last.w'] = weights.pop('decode_head.classifier.steps.0.weight')
    weights['ema.x'] = torch.ones(1)
    rules = dict(
        names={'last.w': 'decode_head.classifier.steps.0.weight'},
        prefixes={'enc.': 'backbone.', 'e': 'wrong.'},
        patterns={r'head/(\w+)\.': r'decode_head.conv.\1.'},
        drop=['ema.'],
    )
    (tmp_path / 'map.json').write_text(json.dumps(rules))
    found = logits(bring(tmp_path, weights, key_map=tmp_path / 'map.json'))
    assert torch.equal(found, logits(imported_toy(tmp_path / 'a')))


def test_it_is_a_model_by_itself(tmp_path):
    """If it fails, an imported network does not predict as ours do, folded or not."""
    path = imported_toy(tmp_path)
    meta = read_step_checkpoint(path)['meta']
    assert meta['imported']['network'] == 'toy' and meta['imported']['background'] == 'own'
    assert meta['input']['channels'] == 'rgb' and meta['input']['mean'] == [123.675, 116.28, 103.53]
    plain = logits(path)
    folded = prepare_for_inference(init_model(path, device='cpu'))
    with torch.no_grad():
        torch.testing.assert_close(
            folded.extract(picture(), auxiliary=False).full_size('decode_head').float(),
            plain,
            rtol=2e-2,
            atol=2e-2,
        )
    mean, std = (torch.tensor(meta['input'][key]).view(3, 1, 1) for key in ('mean', 'std'))
    inside = init_model(path, device='cpu').data_preprocessor
    assert torch.equal(inside.mean, mean) and torch.equal(inside.std, std)
    image = torch.zeros(33, 41, 3, dtype=torch.uint8).numpy()
    sample = Inferencer(path, device='cpu')(image)[0]
    assert sample.pred_sem_seg.data.shape == (1, 33, 41)
