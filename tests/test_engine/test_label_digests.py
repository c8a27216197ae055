"""A run does not go on with other image-level labels than it began with, unnoticed."""
import json
from types import SimpleNamespace

import numpy as np
import pytest

from incseg.datasets import ShapesDataset
from incseg.engine import Experiment, train_protocol
from incseg.engine.label_digests import label_digests
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_run_config


def test_a_run_with_changed_labels(tiny_wilson, tmp_path):
    """If it fails, --resume prints the table of the old labels without a word, or trains half a
    step on each; labels that were put back go on, and so does a step that was not begun."""
    path = tmp_path / 'labels.json'
    dataset = ShapesDataset(length=32, size=32)
    names = dataset.metainfo['classes']
    shown = {image: [names[i] for i in np.flatnonzero(row) if i] for image, row in zip(
        dataset.image_ids, dataset.presence())}
    path.write_text(json.dumps(shown))
    config = tiny_wilson(**{
        'method.image_labels': dict(type='JSONImageLabels', path=str(path))})
    train_protocol(config, tmp_path / 'w', [0])
    kept = read_run_config(tmp_path / 'w')
    without = next(image for image, ids in shown.items() if 'star' not in ids)
    path.write_text(json.dumps({**shown, without: [*shown[without], 'star']}))
    train_protocol(config, tmp_path / 'w', resume=True)
    assert read_run_config(tmp_path / 'w').keys() - kept.keys() == {'image_labels'}
    table = (tmp_path / 'w/results.json').read_text()
    path.write_text(json.dumps(shown))
    with pytest.raises(InvalidInputError, match='image-level labels of step 1 are others than'):
        train_protocol(config, tmp_path / 'w', resume=True)
    path.write_text(json.dumps({**shown, without: [*shown[without], 'star']}))
    train_protocol(config, tmp_path / 'w', resume=True)
    assert (tmp_path / 'w/results.json').read_text() == table


def test_what_counts(tiny, tiny_wilson):
    """Images and labels of the steps that learn from them; masks are no image-level labels."""
    def data(indices, labels):
        return SimpleNamespace(
            indices=np.array(indices),
            image_labels=None if labels is None else np.array(labels, bool))
    experiment = Experiment(tiny_wilson())
    base, found, fewer, other = (
        data([0, 1], None), data([0, 1], [[1, 0], [0, 1]]), data([0], [[1, 0], [0, 1]]),
        data([0, 1], [[1, 1], [0, 1]]))
    digests = [label_digests(experiment, {0: base, 1: step}) for step in (found, fewer, other)]
    assert [list(digest) for digest in digests] == [['1']] * 3
    assert len({digest['1'] for digest in digests}) == 3
    assert label_digests(Experiment(tiny()), {0: base, 1: base}) == {}
