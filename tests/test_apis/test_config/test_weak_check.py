"""Configs of learning from image-level labels: mistakes are found before step 0 is trained."""

import pytest

from incseg.errors import InvalidInputError


@pytest.mark.parametrize(
    'options, message',
    [
        ({'method.image_labels': None}, 'method.image_labels is None, but OnlineLocaliser learns'),
        ({'method.image_labels': dict(type='MaskLabels')}, "image_labels.type is 'MaskLabels'"),
        ({'method.target_labeller': None}, 'method.target_labeller is None, which cannot learn'),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller')},
            "target_labeller is 'EntropyPseudoLabeller', which cannot learn",
        ),
        ({'method.memory.size': 4}, 'method.image_labels and method.memory do not go together'),
        ({'method.negatives': dict(type='Folder')}, "negatives.type is 'Folder'"),
        (
            {'method.negatives': dict(type='OldModelLabels')},
            "method.negatives.type is 'OldModelLabels', which is for seam.negatives alone",
        ),
        ({'method.target_labeller.alpha': 2}, 'alpha is 2, expected a number of 0 to 1'),
        ({'method.target_labeller.source': 'aux'}, "target_labeller: source is 'aux', allowed"),
        ({'method.loss_decode': dict(type='CrossEntropyLoss')}, 'makes soft labels, which'),
        (
            {'warmup_epochs': 2},
            r'step 1 has 2 epoch\(s\), all of them within warmup_epochs = 2, .*: '
            'pass --epochs 3 or more, or --cfg-options warmup_epochs=1 or less$',
        ),
        ({'epochs': 1}, r'pass --epochs 2 or more, or --cfg-options warmup_epochs=0$'),
        ({'warmup_epochs': -1}, 'warmup_epochs is -1, expected a whole number of at least 0'),
        ({'schedule.lr_factors': dict(decode_haed=10.0)}, "lr_factors names 'decode_haed'"),
        ({'schedule.lr_factors.decode_head': 0}, 'lr_factors.decode_head is 0, expected a number'),
        ({'schedule.lr_factors': 10.0}, r'schedule.lr_factors is 10.0, expected dict'),
    ],
)
def test_mistakes(options, message, tiny_wilson):
    """If it fails, the mistake is found hours later, or never."""
    with pytest.raises(InvalidInputError, match=message):
        tiny_wilson(**options)


def test_negatives_without_image_labels(tiny):
    """If it fails, negatives of a method with masks are left out in silence."""
    from incseg.apis.config.check import check_config

    config = tiny('mib')
    config.method.negatives = dict(type='NegativeFolder', folder='x')
    with pytest.raises(InvalidInputError, match='method.negatives are for method.image_labels'):
        check_config(config)


def test_joint_steps_have_no_warmup(tiny_wilson):
    """If it fails, --epochs 1 is refused where no step has a warm-up to shorten."""
    assert tiny_wilson(**{'warmup_epochs': 0, 'epochs': 1}).epochs == 1
