"""A step starts from the network of the previous one."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically, save_checkpoint
from incseg.engine.hooks import IncrementalHook, StartBackboneHook
from incseg.engine.hooks import start as incremental_hook
from incseg.engine.hooks.start import load_backbone
from incseg.engine.recipe.network import model_config, teacher_config
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import EncoderDecoder, ResNet
from incseg.registry import MODELS


@pytest.fixture
def step(tiny, tmp_path):
    """Step 0's network on disk, and a Runner's stand-in for step 1."""
    experiment = Experiment(tiny('mib', bisenet=True))
    torch.manual_seed(1)
    before = MODELS.build(model_config(experiment, 0))
    meta = dict(incseg_version='0', method='m', protocol={}, step=0, classes=[], palette=[])
    save_atomically(dict(state_dict=before.state_dict(), meta=meta), tmp_path / 'final.pth')
    config = model_config(experiment, 1)
    torch.manual_seed(2)
    return SimpleNamespace(
        before=before,
        path=str(tmp_path / 'final.pth'),
        runner=SimpleNamespace(cfg=Config(dict(model=config)), model=MODELS.build(config), iter=0),
    )


def hook(step, init='BackgroundBalancedInit'):
    return IncrementalHook(step.path, dict(type=init))


def test_student_and_teacher_start_from_the_previous_step(step):
    """The teacher is exactly the saved network; the student too, but for what the init changes."""
    hook(step).before_train(step.runner)
    student, teacher = step.runner.model, step.runner.model.teacher
    saved = step.before.state_dict()
    assert teacher.state_dict().keys() == saved.keys()
    assert all(torch.equal(value, saved[name]) for name, value in teacher.state_dict().items())
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())
    changed = {
        name for name, value in saved.items() if not torch.equal(student.state_dict()[name], value)
    }
    heads = ('decode_head', 'auxiliary_head.aux_16', 'auxiliary_head.aux_32')
    assert changed == {f'{head}.classifier.steps.0.bias' for head in heads}


def test_initialisation_is_in_place(step):
    """DDP and the optimiser hold the parameters already: they must stay the same objects."""
    before = {name: id(value) for name, value in step.runner.model.named_parameters()}
    hook(step).before_train(step.runner)
    assert {name: id(value) for name, value in step.runner.model.named_parameters()} == before


def test_all_heads_are_balanced(step):
    """Principal and auxiliary heads: p(new) = p(background) / 2 with one new class."""
    hook(step).before_train(step.runner)
    images = torch.randn(2, 3, 32, 32)
    student = step.runner.model.eval()
    with torch.no_grad():
        new, old = student.extract(images).logits, step.before.eval().extract(images).logits
    for name in new:
        p, q = new[name].softmax(1), old[name].softmax(1)
        assert torch.allclose(p[:, 0], q[:, 0] / 2, atol=1e-6), name
        assert torch.allclose(p[:, 5], q[:, 0] / 2, atol=1e-6), name
        assert torch.allclose(p[:, 1:5], q[:, 1:5], atol=1e-6), name


def test_resumed_student_is_left_alone(step):
    """On resume the student's weights come from the checkpoint; only the teacher is rebuilt."""
    step.runner.iter = 3
    before = {name: value.clone() for name, value in step.runner.model.state_dict().items()}
    hook(step).before_train(step.runner)
    assert step.runner.model.teacher is not None
    after = step.runner.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_no_teacher_for_a_method_without_one(step):
    """Fine-tuning must not pay for a teacher's memory."""
    step.runner.model.distillation.clear()
    hook(step, 'RandomInit').before_train(step.runner)
    assert step.runner.model.teacher is None


def test_previous_step_of_another_network(step):
    """Another width or depth is named, not loaded in part."""
    content = torch.load(step.path, weights_only=True)
    content['state_dict'].pop('backbone.fusion.conv.conv.weight')
    save_checkpoint(content, step.path, 'step')
    step.runner.model.distillation.clear()
    with pytest.raises(
        InvalidInputError, match='previous step does not fit the network: backbone.* is missing'
    ):
        hook(step).before_train(step.runner)


def test_target_labeller_is_prepared_last(step, monkeypatch):
    """If it fails, a labeller estimates without a teacher, or with another number of outputs."""
    calls = []

    class Labeller:
        def prepare(self, batches, num_classes):
            assert step.runner.model.teacher is not None
            calls.append((list(batches), num_classes))

    step.runner.model.target_labeller = Labeller()
    monkeypatch.setattr(incremental_hook, 'teacher_pass', lambda runner: iter([runner]))
    for start in (0, 3):  # a resumed step too
        step.runner.iter = start
        hook(step).before_train(step.runner)
    assert calls == [([step.runner], 6)] * 2
    step.runner.model.target_labeller = lambda labels, student, teacher: labels
    hook(step).before_train(step.runner)


def test_teacher_config():
    """One classifier less, and none of the method's parts."""
    model = dict(type='X', outputs_per_step=[3, 1], distillation={}, target_labeller={})
    assert teacher_config(model) == dict(type='X', outputs_per_step=[3])


def test_target_labeller_is_told_the_epoch(step):
    """If it fails, a labeller with a schedule starts in the wrong epoch, or anew when resumed."""

    class Labeller:
        def set_epoch(self, epoch):
            self.epoch = epoch

    step.runner.model.target_labeller = Labeller()
    step.runner.train_dataloader = SimpleNamespace(batch_sampler=SimpleNamespace(epoch_iters=3))
    told = []
    for iteration in (0, 2, 3, 7):
        hook(step).before_train_iter(step.runner, iteration)
        told.append(step.runner.model.target_labeller.epoch)
    assert told == [0, 0, 1, 2]
    step.runner.model.target_labeller = None
    hook(step).before_train_iter(step.runner, 0)


def test_labeller_starts_anew(step):
    """If it fails, a labeller that is trained must be in the previous step's network."""
    step.runner.model.target_labeller = torch.nn.Linear(2, 2)
    step.runner.model.distillation.clear()
    before = step.runner.model.target_labeller.weight.clone()
    step.runner.model.run_teacher = None
    hook(step).before_train(step.runner)
    assert torch.equal(step.runner.model.target_labeller.weight, before)


@pytest.fixture
def save(tiny, tmp_path):
    """Writes a step's checkpoint of a network."""

    def write(network):
        experiment = Experiment(tiny())
        meta = dict(
            incseg_version='0',
            method='mib',
            protocol=experiment.describe_protocol(),
            step=0,
            classes=experiment.classes_at(0),
            palette=[],
        )
        save_atomically(dict(state_dict=network.state_dict(), meta=meta), tmp_path / 'final.pth')
        return str(tmp_path / 'final.pth')

    return write


@pytest.mark.parametrize('backbone', ['BiSeNet', 'ResNet'])
def test_every_weight_is_copied(backbone, save):
    """From BiSeNet's context path, or a plain ResNet; statistics of BatchNorm too."""
    torch.manual_seed(0)
    source = EncoderDecoder(dict(type=backbone, depth=18), dict(type='FCNHead', channels=8), [5])
    resnet = source.backbone if backbone == 'ResNet' else source.backbone.context_path.resnet
    resnet.bn1.running_mean.uniform_()
    ours = ResNet(18, output_stride=8)
    hook = StartBackboneHook(save(source))
    runner = SimpleNamespace(iter=0, model=SimpleNamespace(backbone=ours))
    hook.before_train(runner)
    theirs = resnet.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.state_dict().items())


def test_not_when_resuming(save):
    """A resumed training has better weights already."""
    source = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [5])
    ours = ResNet(18)
    before = ours.conv1.weight.clone()
    runner = SimpleNamespace(iter=3, model=SimpleNamespace(backbone=ours))
    StartBackboneHook(save(source)).before_train(runner)
    assert torch.equal(ours.conv1.weight, before)


def test_another_depth(save, tmp_path):
    """Half a backbone is never loaded."""
    source = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [5])
    with pytest.raises(InvalidInputError, match='init_from: .*has no ResNet of this depth'):
        load_backbone(ResNet(34), save(source))
    with pytest.raises(MissingFileError):
        load_backbone(ResNet(34), str(tmp_path / 'none.pth'))
