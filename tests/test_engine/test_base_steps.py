import json
import os
import shutil

import pytest

from incseg.engine import Experiment
from incseg.engine.base_steps import BaseSteps
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.utils.files import host, write_json


def place(tiny, method='mib', ids=('a', 'b'), **options):
    experiment = Experiment(tiny(method, bisenet=True, **options))
    return BaseSteps('store').place(
        experiment,
        config_for_step(experiment, 0, 32, 'w'),
        config_for_test(experiment, 0, 'w'),
        repr(ids),
    )


def test_what_shapes_the_base_step_is_in_the_hash(tiny):
    """Too little in the hash and a wrong network is reused in silence."""
    base = place(tiny)
    changed = {
        'seed': place(tiny, seed=1),
        'batch': place(tiny, batch_size=4),
        'epochs': place(tiny, epochs=[2, 1]),
        'lr': place(tiny, **{'schedule.lr.base': 1.0}),
        'depth': place(tiny, **{'model.backbone.depth': 50}),
        'images': place(tiny, ids=('a', 'c')),
        'base': place(tiny, **{'protocol.name': '3-1'}),
        'order': place(tiny, **{'protocol.class_order': [4, 3, 2, 1, 5, 6]}),
        'augmentation': place(tiny, **{'data.train_pipeline.flip': None}),
        'scale': place(tiny, image_scale=0.5),
        'test': place(tiny, **{'data.test.length': 5}),
        'amp': place(tiny, **{'schedule.amp': True}),
        'rounding': place(tiny, **{'schedule.tf32': False}),
        'pretrained': place(tiny, pretrained=True),
        'loss': place(tiny, **{'method.base_loss': dict(type='OhemCrossEntropyLoss')}),
        'rates': place(tiny, **{'schedule.base_lr_factors': dict(decode_head=10.0)}),
        'decay': place(tiny, **{'schedule.base_norm_decay': False}),
        'future': place(tiny, **{'data.future': 'background'}),
    }
    assert len({base, *changed.values()}) == 1 + len(changed), 'each one counts'


def test_what_does_not_shape_it_is_not(tiny):
    """Too much in the hash and every method trains its own."""
    base = place(tiny)
    assert place(tiny, 'ft') == base
    assert place(tiny, **{'protocol.name': '4-2'}) == base
    assert place(tiny, **{'schedule.lr.added': 9.0}) == base
    assert place(tiny, epochs=[1, 7]) == base
    assert place(tiny, **{'method.dropout': True, 'method.frozen': ['norm']}) == base
    assert place(tiny, num_workers=2) == base
    assert place(tiny, **{'schedule.log_interval': 3}) == base


def test_a_custom_types_source_counts(tiny, tmp_path, monkeypatch):
    """Editing the code of one's own head must not bring back the network of the old one."""
    source = (
        'from incseg.models import FCNHead\nfrom incseg.registry import MODELS\n'
        '@MODELS.register_module(force=True)\nclass EditedHead(FCNHead):\n    pass\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'edited_head.py').write_text(source)
    import importlib

    module = importlib.import_module('edited_head')
    first = place(tiny, **{'model.decode_head.type': 'EditedHead'})
    (tmp_path / 'edited_head.py').write_text(source + '    # another thought\n')
    importlib.reload(module)
    assert place(tiny, **{'model.decode_head.type': 'EditedHead'}) != first


@pytest.mark.parametrize('metrics', [None, '{"iou": ', '{}'])
def test_half_a_store_is_no_store(tmp_path, metrics):
    """Damaged in any way: not reused, said, and replaced by the next run."""
    folder = tmp_path / 'x'
    assert BaseSteps.load(folder) is None
    folder.mkdir()
    (folder / 'final.pth').write_bytes(b'half')
    if metrics is not None:
        (folder / 'metrics.json').write_text(metrics)
    with pytest.warns(UserWarning, match='is not used'):
        assert BaseSteps.load(folder) is None
    meta = dict(incseg_version='0', method='m', protocol={}, step=0, classes=[], palette=[])
    BaseSteps.store(folder, dict(state_dict={}, meta=meta), dict(iou={'a': 1.0}, accuracy=2.0))
    checkpoint, found = BaseSteps.load(folder)
    assert meta.items() <= checkpoint['meta'].items() and found == dict(
        iou={'a': 1.0}, accuracy=2.0
    )
    BaseSteps.store(folder, dict(state_dict={}, meta=meta), dict(iou={'a': 1.0}, accuracy=0.0))
    assert json.loads((folder / 'metrics.json').read_text())['accuracy'] == 2.0, 'first one stays'


@pytest.mark.parametrize('faster', [True, False])
def test_two_at_once(tmp_path, monkeypatch, recwarn, faster):
    """Of two runs that end together the first one's base step is shared, without a word; a store
    that cannot be written is said."""
    folder, rename = tmp_path / 'x', os.rename
    meta = dict(incseg_version='0', method='m', protocol={}, step=0, classes=[], palette=[])

    def late(source, target):
        if faster:
            shutil.copytree(source, target)
            write_json(folder / 'metrics.json', dict(accuracy=1.0, iou={'a': 1.0}))
            rename(source, target)
        raise OSError('Read-only file system')

    monkeypatch.setattr(os, 'rename', late)
    BaseSteps.store(folder, dict(state_dict={}, meta=meta), dict(accuracy=2.0, iou={'a': 1.0}))
    said = [str(warning.message) for warning in recwarn]
    assert len(said) == (not faster) and all('Read-only' in text for text in said)
    assert list(tmp_path.iterdir()) == [folder] * faster
    if faster:
        assert BaseSteps.load(folder)[1] == dict(accuracy=1.0, iou={'a': 1.0})


def test_what_a_killed_run_left(tmp_path):
    """If it fails, each kill while a base step is shared leaves a network in the store for ever."""
    dead = f'.x.{host()}.{2**22 + 1}.0a1b2c3d.tmp'
    (tmp_path / dead).mkdir()
    (tmp_path / dead / 'final.pth').touch()
    (tmp_path / 'x').mkdir()
    BaseSteps(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['x']
