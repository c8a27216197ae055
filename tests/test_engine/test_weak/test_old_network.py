"""The network of the previous step finds old classes in the images of a step."""

import numpy as np
import pytest
import torch

from incseg.apis import init_model
from incseg.datasets import ShapesDataset
from incseg.engine import Experiment
from incseg.engine.weak.old_network import OldNetwork
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import CrossEntropyLoss, FCNHead
from tests.test_engine.test_weak.conftest import base_step
from tests.test_utils.test_number_formats import settings


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """An experiment in another class order, and its base step, which tests only read."""
    order = [6, 1, 5, 2, 4, 3]
    return base_step(tmp_path_factory.mktemp('base'), **{'protocol.class_order': order})


def test_classes_and_probabilities(base):
    """If it fails, SEAM gets other classes or probabilities than the network's own, or train
    ids."""
    config, path = base
    data = ShapesDataset(length=6, size=32)
    network = OldNetwork(Experiment(config), 1, path)
    seen = {index: (label, confidence) for index, label, confidence in network(data, [1, 3, 4])}
    assert sorted(seen) == [1, 3, 4]
    model = init_model(config, path, 'cpu')
    ids = np.array([0, 6, 1, 5, 2])
    for index, (label, confidence) in seen.items():
        image = torch.from_numpy(data.get_data_info(index)['img']).permute(2, 0, 1)
        with torch.no_grad():
            inputs = model.data_preprocessor(dict(inputs=[image]))['inputs']
            probability = model.extract(inputs).full_size('decode_head').softmax(1)[0]
        assert label.dtype == np.uint8 and label.shape == (32, 32)
        assert confidence.dtype == np.float32
        np.testing.assert_allclose(confidence, probability.amax(0), atol=1e-4)
        place = (ids[:, None, None] == label).argmax(0)
        picked = np.take_along_axis(probability.numpy(), place[None], 0)[0]
        np.testing.assert_allclose(picked, confidence, atol=1e-4)


@pytest.mark.parametrize('tf32', [True, False])
def test_its_arithmetic(base, gpu_settings, monkeypatch, tf32):
    """If it fails, a GPU rounds as a training before it did, or times its algorithms for every
    size of the images; or what is set goes on in the caller's code."""
    config, path = base
    experiment = Experiment(config)
    network = OldNetwork(experiment, 1, path)
    network.tf32, seen, most_likely = tf32, [], network.most_likely
    network.most_likely = lambda images: seen.append(settings()) or most_likely(images)
    gpu_settings(tf32=not tf32, benchmark=True)
    before = settings()
    for _ in network(ShapesDataset(length=6, size=32), [1, 3]):
        assert settings() == before
    assert set(seen) == {(tf32, tf32, False, True)} and settings() == before


class SecondBest(FCNHead):
    """A head that decides on the output with the second largest logit."""

    def decide(self, logits):
        return logits.topk(2, 1).indices[:, 1]


def test_the_head_decides(base, monkeypatch):
    """If it fails, SEAM takes the argmax of a head that decides otherwise."""
    config, path = base
    data = ShapesDataset(length=6, size=32)
    network = OldNetwork(Experiment(config), 1, path)
    network.model.decode_head.__class__ = SecondBest
    [(_, label, confidence)] = network(data, [1])
    image = torch.from_numpy(data.get_data_info(1)['img']).permute(2, 0, 1)[None]
    network.model.decode_head.__class__ = FCNHead
    best, classes = network.most_likely(image)
    assert (network.ids[classes[0].numpy()] != label).all()
    assert (confidence <= best[0].numpy()).all() and (confidence > 0).all()
    with monkeypatch.context() as patch:
        patch.setattr(FCNHead, 'has_background', False)
        patch.setattr(FCNHead, 'decide', SecondBest.decide)
        patch.setattr(CrossEntropyLoss, 'without_background', True, raising=False)
        with pytest.raises(InvalidInputError, match="decode_head.type is 'FCNHead', expected a h"):
            OldNetwork(Experiment(config), 1, path)


def test_which_network(base, tmp_path):
    """If it fails, the network of another step or a missing file is used or ends in a traceback."""
    config, path = base
    with pytest.raises(InvalidInputError, match='is of step 0; SEAM of step 2 needs the'):
        OldNetwork(Experiment(config), 2, path)
    with pytest.raises(MissingFileError, match='no checkpoint at'):
        OldNetwork(Experiment(config), 1, tmp_path / 'none.pth')
