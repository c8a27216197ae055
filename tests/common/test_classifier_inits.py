"""What every registered start of new classifiers promises."""

import pytest
import torch

from incseg.models import GrowingClassifier
from incseg.registry import MODELS
from tests.common.contract import Contract, Example

#: The promise: whether background and new classes share what was the background's probability.
INITS = Contract(
    'classifier init',
    MODELS,
    'incseg.models.classifier_init',
    dict(RandomInit=Example(False, {}, dict(std=0.1)), BackgroundBalancedInit=Example(True)),
    __file__,
)
STEPS = pytest.mark.parametrize('outputs', [(3, 2), (3, 1, 4)], ids=str)


def trained(outputs):
    """A classifier as the previous step left it, with a new one for this step."""
    torch.manual_seed(0)
    classifier = GrowingClassifier(5, outputs).double()
    for parameter in classifier.parameters():
        torch.nn.init.normal_(parameter)
    return classifier


@INITS.each_way()
@STEPS
def test_old_classifiers_stay(name, options, outputs):
    """If it fails, an old class is forgotten before the first iteration."""
    classifier = trained(outputs)
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    assert INITS.build(name, **options)(classifier) is None
    changed = {
        key for key, value in classifier.state_dict().items() if not torch.equal(value, before[key])
    }
    new = len(outputs) - 1
    expected = {f'steps.{new}.weight', f'steps.{new}.bias'}
    if INITS[name].promise:
        expected.add('steps.0.bias')
        old = [conv.bias[1:] if i == 0 else conv.bias for i, conv in enumerate(classifier.convs)]
        for i, bias in enumerate(old[:-1]):
            start = before[f'steps.{i}.bias']
            assert torch.equal(bias, start[1:] if i == 0 else start), 'an old class of the first'
    assert changed == expected
    for parameter in classifier.parameters():
        assert parameter.is_leaf and parameter.requires_grad and parameter.isfinite().all()


@INITS.each_way()
@STEPS
def test_probabilities(name, options, outputs):
    """If it fails, new classes start above or below what the old network left for them."""
    classifier = trained(outputs)
    features = torch.randn(2, 5, 3, 3, dtype=torch.float64)
    number, old = outputs[-1], classifier.num_old
    before = classifier(features)[:, :old]
    INITS.build(name, **options)(classifier)
    after = classifier(features)
    torch.testing.assert_close(after[:, 1:old], before[:, 1:])
    if not INITS[name].promise:
        torch.testing.assert_close(after[:, 0], before[:, 0])
        return
    probability, shared = after.softmax(1), before.softmax(1)
    torch.testing.assert_close(probability[:, 1:old], shared[:, 1:])
    share = (shared[:, :1] / (number + 1)).expand(-1, number + 1, -1, -1)
    torch.testing.assert_close(torch.cat([probability[:, :1], probability[:, old:]], 1), share)


@INITS.each_way()
def test_a_seed_decides(name, options):
    """If it fails, a resumed step, or another process, starts from another classifier."""
    made = []
    for _ in range(2):
        classifier = trained((3, 2))
        torch.manual_seed(7)
        INITS.build(name, **options)(classifier)
        made.append(classifier.convs[-1].weight)
    assert torch.equal(*made)
