from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.engine import Experiment
from incseg.engine.labels import MaskLabels, step_labels
from incseg.engine.weak.annotation import JointPseudoLabels, PseudoLabels
from incseg.engine.weak.seam_config import seam_image_labels
from incseg.errors import InvalidInputError

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.fixture
def weak(tmp_path):
    def load(method, **options):
        return Experiment(
            load_config(
                CONFIGS / method / 'bisenet_r18_shapes_4-2.py',
                {'annotation.folder': str(tmp_path), **options},
            )
        )

    return load


def test_which_steps(weak, tiny):
    """The base step has masks unless the config says otherwise; joint training is one step."""
    assert [type(step_labels(weak('mib_s'), k)) for k in (0, 1)] == [MaskLabels, PseudoLabels]
    assert type(step_labels(weak('mib_s', **{'annotation.steps': 'all'}), 0)) is PseudoLabels
    for steps in ('added', 'all'):
        joint = step_labels(weak('joint_s', **{'annotation.steps': steps}), 0)
        assert type(joint) is JointPseudoLabels
    assert type(step_labels(Experiment(tiny()), 1)) is MaskLabels
    joint = weak('joint_s')
    joint.config.annotation.type = 'PseudoLabels'
    with pytest.raises(InvalidInputError, match="type is 'PseudoLabels', expected 'JointPseudo"):
        step_labels(joint, 0)


def test_loader(weak, tmp_path):
    """Masks at step 0, the step's folder later, with the options of the config."""
    experiment = weak('mib_s', **{'annotation.threshold': 0.3, 'annotation.gating': True})
    assert step_labels(experiment, 0).loader() == dict(type='LoadLabels')
    assert step_labels(experiment, 1).loader() == dict(
        type='LoadPseudoLabels',
        folders=[str(tmp_path / '4-2' / '1')],
        threshold=0.3,
        uncertain=None,
        gating=True,
        mask_classes=[],
    )


def test_joint(weak):
    """All classes by one network are one set of labels; by a network a step, one set a step."""
    joint = weak('joint_s')
    assert [(part.name, step) for part, step in step_labels(joint, 0).parts] == [('offline', 0)]
    assert step_labels(joint, 0).loader()['mask_classes'] == []
    single = {'seam.scope': 'step', 'protocol.name': '2-2'}
    assert step_labels(weak('joint_s', **single), 0).parts[0][0].name == '2-2'
    assert [step for _, step in step_labels(weak('joint_s', **single), 0).parts] == [0, 1, 2]
    added = weak('joint_s', **single, **{'annotation.steps': 'added'})
    assert [step for _, step in step_labels(added, 0).parts] == [1, 2]
    assert step_labels(added, 0).loader()['mask_classes'] == [1, 2]


def test_made_labels_are_named_by_what_made_them(weak):
    """Another threshold makes other labels by the same network; another rate, another network."""

    def folder(**options):
        labels = step_labels(weak('mib_s', **{'annotation.folder': None}, **options), 1)
        return labels.files()[0].folder

    plain = folder()
    other = folder(**{'seam.inference.background': dict(mode='const', value=0.7)})
    assert plain.parents[2] == other.parents[2] and plain.parents[1] != other.parents[1]
    assert folder(**{'seam.schedule.lr': 1.0}).parents[2] != plain.parents[2]
    assert folder(epochs=3) == plain, 'the dense steps do not shape it'


def test_image_labels(weak, tiny):
    """From the masks unless the config names another source."""
    assert seam_image_labels(Experiment(tiny())) == dict(type='MaskImageLabels')
    source = dict(type='JSONImageLabels', path='x.json')
    assert seam_image_labels(weak('mib_s', **{'seam.image_labels': source})) == source
