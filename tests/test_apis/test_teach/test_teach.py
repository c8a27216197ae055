"""A trained model learns a class that nobody declared, from a folder of images and masks."""

import json

import pytest
import torch

from incseg.apis import Inferencer
from incseg.apis.teach import teach
from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint
from incseg.errors import InvalidInputError
from incseg.models import IncrementalSegmentor
from tests.common.imported import imported_toy, know_toy
from tests.common.painted_shapes import write_shapes_folder

OLD = ['disc', 'square', 'triangle']


@pytest.fixture
def model(tiny, tmp_path):
    """A model of three classes of Shapes; returns its ``final.pth``."""
    train_protocol(tiny('mib', **{'protocol.name': '3-2'}), tmp_path / 'shapes', steps=[0])
    return tmp_path / 'shapes/step_0/final.pth'


@pytest.fixture
def taught(model, tmp_path):
    """Teach the model a class from 30 pictures; ``taught('star', value=1, …)``."""

    def call(name, value=1, start=model, number=30, **options):
        folder = tmp_path / name
        if not folder.exists():
            write_shapes_folder(folder, {name: value}, number=number)
        lines = []
        result = teach(
            start,
            folder / 'images',
            masks=folder / 'masks',
            **{
                'classes': [name],
                'epochs': 1,
                'out': tmp_path / f'taught_{name}',
                'tell': lines.append,
                **options,
            },
        )
        return result, lines

    return call


def test_one_class_then_another(taught, tmp_path):
    """If it fails, a class that was not declared on day one cannot be learned, or only once."""
    first, lines = taught('star')
    saved = StepCheckpoint(first.checkpoint)
    assert saved.meta['classes'] == ['background', *OLD, 'star']
    assert list(first.after) == ['background', *OLD, 'star'] and first.after['star'] is not None
    assert list(first.before) == ['background', *OLD], 'the old classes are scored before'
    assert list(first.elsewhere) == [*OLD, 'star'] and list(first.kept) == OLD
    said = '\n'.join(lines)
    for words in (
        '3 classes: disc, square, triangle (mib, step 0)',
        '30 in ',
        '1 star',
        '22 to learn from, 8 to test on (by content',
        'step 1, mib, 2 iterations (1 epochs, batch 8, rate ',
        'saved    ',
    ):
        assert words in said, words
    second, _ = taught('cross', start=first.checkpoint)
    classes = StepCheckpoint(second.checkpoint).meta['classes']
    assert classes == ['background', *OLD, 'star', 'cross']
    assert second.checkpoint == tmp_path / 'taught_cross/step_2/final.pth'
    assert second.before['star'] == first.after['star'], 'on its own test images, as before'
    homes = json.loads((tmp_path / 'taught_cross/results.json').read_text())['protocol']['homes']
    assert homes == {**dict.fromkeys(['background', *OLD], 'step_0'), 'star': 'star',
                     'cross': 'cross'}  # fmt: skip
    segment = Inferencer(str(second.checkpoint), device='cpu')
    image = next((tmp_path / 'cross/images').iterdir())
    [sample] = segment([str(image)])
    assert sample.pred_sem_seg.data.shape == (1, 32, 32)


def test_old_images_are_out_of_reach(tiny, taught, tmp_path):
    """If it fails, a model can be taught only where its own data are."""
    folder = write_shapes_folder(tmp_path / 'own', {name: i for i, name in enumerate(OLD, 1)})
    part = dict(type='FolderDataset', data_root=str(folder), ids=OLD)
    steps = dict(base=dict(classes=OLD, data=dict(train=part, test=0.2)))
    config = tiny('mib', **{'protocol': dict(name='open', steps=steps)})
    train_protocol(config, tmp_path / 'gone')
    (tmp_path / 'own').rename(tmp_path / 'elsewhere')
    result, lines = taught('star', start=tmp_path / 'gone/step_0/final.pth')
    assert result.after['disc'] is None and result.after['star'] is not None
    assert any('they keep no score' in line for line in lines), lines


def test_the_same_call_again(taught, tmp_path):
    """If it fails, a finished model is written over, or a call that was cut off is lost."""
    first, _ = taught('star')
    content = first.checkpoint.read_bytes()
    with pytest.raises(InvalidInputError, match='--resume'):
        taught('star')
    again, _ = taught('star', resume=True)
    assert again.checkpoint.read_bytes() == content, 'it is not trained anew'
    assert again.after == first.after


def test_a_call_that_was_cut_off(taught, tmp_path, monkeypatch):
    """If it fails, a class that was half learned is learned anew, or in another way."""
    whole, _ = taught('star', out=tmp_path / 'whole', epochs=3)
    real, calls = IncrementalSegmentor.train_step, []

    def cut_off(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError('the power is gone')
        return real(self, *args, **kwargs)

    monkeypatch.setattr(IncrementalSegmentor, 'train_step', cut_off)
    with pytest.raises(RuntimeError, match='the power is gone'):
        taught('star', out=tmp_path / 'cut', epochs=3)
    resumed, _ = taught('star', out=tmp_path / 'cut', epochs=3, resume=True)
    assert len(calls) < 5 + 6, 'it goes on from its last checkpoint'
    ours, theirs = (StepCheckpoint(each.checkpoint).state_dict for each in (whole, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_two_classes_at_once_with_odd_names(model, tmp_path):
    """If it fails, two classes, or a name with a blank, cannot be taught."""
    write_shapes_folder(tmp_path / 'two', dict(star=1, cross=2))
    result = teach(
        model,
        tmp_path / 'two/images',
        masks=tmp_path / 'two/masks',
        classes=['traffic light=1', '+=2'],
        out=tmp_path / 'out',
        epochs=1,
        tell=lambda line: None,
    )
    assert StepCheckpoint(result.checkpoint).meta['classes'][-2:] == ['traffic light', '+']
    assert result.after['+'] is not None


def test_an_imported_model(tmp_path, monkeypatch):
    """If it fails, import and then teach, as README has it, ends in an error."""
    know_toy(monkeypatch)
    start = imported_toy(tmp_path / 'toy')
    known = StepCheckpoint(start).meta['classes']
    write_shapes_folder(tmp_path / 'new', dict(star=1))
    lines: list[str] = []
    result = teach(
        start,
        tmp_path / 'new/images',
        masks=tmp_path / 'new/masks',
        classes=['comet'],
        out=tmp_path / 'out',
        epochs=1,
        options=dict(crop_size=32, num_workers=0),
        tell=lines.append,
    )
    assert StepCheckpoint(result.checkpoint).meta['classes'] == [*known, 'comet']
    assert result.after['comet'] is not None and result.after[known[1]] is None
    assert '(imported)' in lines[0]
