"""Weights that are no numbers of the network's kind are refused, by name."""

import pytest
import torch
from torch import nn

from incseg.apis import init_model
from incseg.engine import evaluate_checkpoint, train_protocol
from incseg.engine.checkpoint import load_previous, load_weights, save_checkpoint
from incseg.errors import InvalidInputError

ODD = {
    'float64': (lambda w: w.double(), 'is torch.float64, expected torch.float32'),
    'int8': (lambda w: w.to(torch.int8), 'is torch.int8, expected torch.float32'),
    'half': (lambda w: w.half(), 'is torch.float16, expected torch.float32'),
    'nan': (lambda w: w.clone().fill_(float('nan')), 'is not finite, expected finite numbers'),
    'infinite': (lambda w: w.clone().fill_(-float('inf')), 'is not finite'),
    'sparse': (lambda w: w.to_sparse(), 'is a sparse tensor, expected a dense tensor'),
    'meta': (lambda w: w.to('meta'), 'is a tensor on the meta device'),
    'list': (lambda w: w.tolist(), 'is a list, expected a dense tensor'),
}


@pytest.mark.parametrize('kind', sorted(ODD))
def test_refused_by_name(kind):
    """If it fails, weights are rounded, or a prediction is NaN, in silence."""
    change, words = ODD[kind]
    state = nn.Linear(2, 3).state_dict()
    state['weight'] = change(state['weight'])
    with pytest.raises(InvalidInputError, match=f'checkpoint c.pth: weight {words}'):
        load_weights(nn.Linear(2, 3), state, 'c.pth')


def test_quantised():
    """If it fails, a quantised weight ends in an error of torch's."""
    state = nn.Linear(2, 3).state_dict()
    state['weight'] = torch.quantize_per_tensor(state['weight'], 0.1, 0, torch.qint8)
    with pytest.raises(InvalidInputError, match='weight is a quantised tensor'):
        load_weights(nn.Linear(2, 3), state, 'c.pth')


@pytest.mark.parametrize('kind', ['float64', 'nan'])
def test_by_every_door(kind, kept, tiny, tmp_path):
    """If it fails, one of prediction, evaluation and teacher takes what the others refuse."""
    config, path = tiny(), tmp_path / 'run/step_0/final.pth'
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    content = torch.load(path, weights_only=True)
    name = next(name for name in content['state_dict'] if name.endswith('conv.weight'))
    content['state_dict'][name] = ODD[kind][0](content['state_dict'][name])
    save_checkpoint(content, path, 'step')
    for record in ('results.json', 'config.json'):  # which know the network as it was
        (tmp_path / 'run' / record).unlink()
    for use in (
        lambda: init_model(path),
        lambda: init_model(config, path),
        lambda: evaluate_checkpoint(config, path, tmp_path / 'test'),
        lambda: train_protocol(config, tmp_path / 'run', [1], reuse=False),
    ):
        with pytest.raises(InvalidInputError, match=f'{name} {ODD[kind][1]}'):
            use()


def test_the_student_gets_no_odd_weights():
    """If it fails, a method without a teacher starts from weights that are none."""

    class Net(nn.Linear):
        def adapt_previous(self, state):
            return state

        def new_parameter_names(self):
            return []

    state = nn.Linear(2, 3).double().state_dict()
    with pytest.raises(InvalidInputError, match='weight is torch.float64'):
        load_previous(Net(2, 3), state, 'c.pth')
