"""A run does not go on with other image-level labels than it began with, unnoticed."""

import json
from pathlib import Path

import numpy as np
import pytest

from incseg.apis import load_config
from incseg.datasets import ShapesDataset
from incseg.engine import Experiment, train_protocol
from incseg.engine.labels import all_labels, label_digests, step_dataset, training_set
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_run_config
from incseg.registry import DATASETS
from tests.conftest import TINY

CONFIGS = Path(__file__).parents[3] / 'configs'


def test_a_run_with_changed_labels(tiny_wilson, tmp_path):
    """If it fails, --resume prints the table of the old labels without a word, or trains half a
    step on each; labels that were put back go on, and so does a step that was not begun."""
    path = tmp_path / 'labels.json'
    dataset = ShapesDataset(length=32, size=32)
    names = dataset.metainfo['classes']
    shown = {
        image: [names[i] for i in np.flatnonzero(row) if i]
        for image, row in zip(dataset.image_ids, dataset.presence())
    }
    path.write_text(json.dumps(shown))
    config = tiny_wilson(**{'method.image_labels': dict(type='JSONImageLabels', path=str(path))})
    train_protocol(config, tmp_path / 'w', [0])
    kept = read_run_config(tmp_path / 'w')
    without = next(image for image, ids in shown.items() if 'star' not in ids)
    path.write_text(json.dumps({**shown, without: [*shown[without], 'star']}))
    train_protocol(config, tmp_path / 'w', resume=True)
    assert read_run_config(tmp_path / 'w').keys() - kept.keys() == {
        'image_labels',
        'previous_networks',
    }
    table = (tmp_path / 'w/results.json').read_text()
    path.write_text(json.dumps(shown))
    with pytest.raises(InvalidInputError, match='image-level labels of step 1 are others than'):
        train_protocol(config, tmp_path / 'w', resume=True)
    path.write_text(json.dumps({**shown, without: [*shown[without], 'star']}))
    train_protocol(config, tmp_path / 'w', resume=True)
    assert (tmp_path / 'w/results.json').read_text() == table


def test_what_counts(tiny, tmp_path):
    """The labels of a step's images and of the classes that it learns, and no others: a step is
    not refused for what another one reads.  Masks are no image-level labels."""
    path = tmp_path / 'labels.json'
    config = load_config(
        CONFIGS / 'mib_s/bisenet_r18_shapes_4-2.py',
        {
            **TINY,
            'seam.image_labels': dict(type='JSONImageLabels', path=str(path)),
            'seam_dir': str(tmp_path),
            'seam.scope': 'step',
            'protocol.name': '2-2',
        },
    )
    source = ShapesDataset(length=32, size=32)
    names = source.metainfo['classes']
    shown = {
        image: [names[i] for i in np.flatnonzero(row) if i]
        for image, row in zip(source.image_ids, source.presence())
    }

    def of_step_1(**change):
        path.write_text(json.dumps({**shown, **change}))
        experiment = Experiment(config)
        data = DATASETS.build(training_set(experiment))
        found = label_digests(all_labels(experiment), {1: step_dataset(experiment, 1, data)})
        return found['1']

    plain, own, later = of_step_1(), names[3], names[5]
    outside = next(image for image, ids in shown.items() if own not in ids and names[4] not in ids)
    inside = next(image for image, ids in shown.items() if own in ids and later not in ids)
    assert of_step_1(**{outside: [*shown[outside], later]}) == plain
    assert of_step_1(**{inside: [*shown[inside], later]}) == plain
    assert of_step_1(**{outside: [*shown[outside], own]}) != plain
    assert of_step_1(**{inside: [name for name in shown[inside] if name != own]}) != plain
    assert label_digests(all_labels(Experiment(tiny())), {}) == {}
