from pathlib import Path

import pytest

from incseg.engine import Experiment
from incseg.engine.recipe.experiment import check_step
from incseg.errors import InvalidInputError
from incseg.utils.repository import relative_to_library


def test_class_order(tiny):
    """Names and colours follow the learning order, as train ids do."""
    experiment = Experiment(tiny(**{'protocol.class_order': [6, 2, 3, 4, 5, 1]}))
    assert experiment.classes == [
        'background',
        'star',
        'square',
        'triangle',
        'ring',
        'cross',
        'disc',
    ]
    assert experiment.classes_at(1) == experiment.classes[:6]
    assert experiment.names((6, 1)) == ['star', 'disc']
    default = Experiment(tiny())
    assert experiment.palette[1] == default.palette[6]
    assert experiment.describe_protocol()['steps'] == [[6, 2, 3, 4], [5], [1]]


def test_class_order_by_names(tiny):
    """If it fails, a user has to look up the numbers of classes that have names."""
    order = ['star', 2, 'triangle', 'ring', 5, 'disc']
    experiment = Experiment(tiny(**{'protocol.class_order': order}))
    assert experiment.protocol.class_order == (6, 2, 3, 4, 5, 1)
    with pytest.raises(InvalidInputError, match="is 'rings', .* names .*; did you mean 'ring'?"):
        tiny(**{'protocol.class_order': ['rings', 1, 2, 3, 5, 6]})
    with pytest.raises(InvalidInputError, match="names of the classes; the names are 'disc', "):
        tiny(**{'protocol.class_order': ['background', 1, 2, 3, 5, 6]})
    with pytest.raises(InvalidInputError, match='repeated: 6'):
        tiny(**{'protocol.class_order': ['star', 6, 2, 3, 4, 5]})


def test_joint_trains_one_step_and_reports_two_columns(tiny):
    """The boundary of the report is the protocol's, what is trained is everything."""
    experiment = Experiment(tiny('joint'))
    assert experiment.num_steps == 1 and experiment.protocol.num_steps == 3
    assert len(experiment.classes_at(0)) == 7
    ledger = experiment.new_ledger()
    assert ledger.base == ['disc', 'square', 'triangle', 'ring']
    assert ledger.added == ['cross', 'star']


def test_epochs_per_step(tiny):
    """One number for every step, or one each; the last one serves the rest."""
    assert [Experiment(tiny(epochs=5)).epochs(k) for k in range(3)] == [5, 5, 5]
    assert [Experiment(tiny(epochs=[5, 2])).epochs(k) for k in range(3)] == [5, 2, 2]


def test_step_out_of_range(tiny):
    """The range is said."""
    with pytest.raises(
        InvalidInputError, match=r'--steps is 3, expected 0 to 2: .* has 3 step\(s\)'
    ):
        Experiment(tiny()).check_step(3)
    with pytest.raises(InvalidInputError, match='^--step is 1, expected 0: joint 4-1 has 1 step'):
        check_step(1, 1, 'joint 4-1')


def test_unregistered_dataset(tiny):
    """A data set whose package was not imported is named."""
    config = tiny()
    config.data.train.type = 'NoDataset'
    with pytest.raises(InvalidInputError, match="data.train.type is 'NoDataset'"):
        Experiment(config)


def test_config_path_is_relative_to_the_repository(tmp_path):
    """Ledgers of two machines must compare equal: no machine's path in ours."""
    root = Path(__file__).parents[3]
    assert relative_to_library(root / 'configs' / 'a.py') == 'configs/a.py'
    assert relative_to_library(str(tmp_path / 'a.py')) == str(tmp_path / 'a.py')


def test_joint_has_no_memory(tiny):
    """If it fails, a memory is asked for, reported, and never shown."""
    Experiment(tiny('joint', **{'method.memory': dict(size=0)}))
    with pytest.raises(
        InvalidInputError, match="method.memory is .'size': 5., expected None: method.joint"
    ):
        tiny('joint', **{'method.memory': dict(size=5)})
