from incseg.engine import Experiment
from incseg.engine.recipe.network import model_config, network_config
from incseg.engine.recipe.step import config_for_test


def test_model_grows_and_its_loss_changes(tiny):
    """Step 0 is ordinary cross-entropy for every method; later steps are the method's own."""
    experiment = Experiment(tiny('mib'))
    base, later = model_config(experiment, 0), model_config(experiment, 2)
    assert base['outputs_per_step'] == [5] and later['outputs_per_step'] == [5, 1, 1]
    for head in (base['decode_head'], *base['auxiliary_head'].values()):
        assert head['loss_decode']['type'] == 'CrossEntropyLoss'
    for head in (later['decode_head'], *later['auxiliary_head'].values()):
        assert head['loss_decode']['type'] == 'UnbiasedCrossEntropyLoss'
    assert 'distillation' not in base
    assert later['distillation']['logits']['type'] == 'UnbiasedLogitsDistillation'


def test_a_head_keeps_its_own_loss(tiny):
    """A loss named at a head wins over the method's."""
    config = tiny(
        'mib',
        **{
            'model.auxiliary_head.aux_16.loss_decode': dict(
                type='CrossEntropyLoss', loss_weight=0.4
            )
        },
    )
    heads = model_config(Experiment(config), 1)['auxiliary_head']
    assert heads['aux_16']['loss_decode']['loss_weight'] == 0.4
    assert heads['aux_32']['loss_decode']['type'] == 'UnbiasedCrossEntropyLoss'


def test_pretrained_weights_for_the_base_step_alone(tiny):
    """Later steps, teachers and tests start from a checkpoint: no download for nothing."""
    experiment = Experiment(tiny(pretrained=True))
    assert model_config(experiment, 0, init=True)['backbone']['pretrained'] is True
    assert model_config(experiment, 1, init=True)['backbone']['pretrained'] is False
    assert model_config(experiment, 0)['backbone']['pretrained'] is False


def test_network_alone(tiny):
    """If it fails, evaluation builds what only training has, and the saved weights do not fit."""
    experiment = Experiment(tiny('plop'))
    whole, alone = model_config(experiment, 1), network_config(experiment, 1)
    assert set(whole) - set(alone) == {'distillation', 'target_labeller'}
    assert all(whole[key] == value for key, value in alone.items())
    assert config_for_test(experiment, 1, 'w').model == alone
