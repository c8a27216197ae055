"""Every method at the ends of what can happen in a step: one update of a small network each."""

import logging
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from incseg.apis import load_config
from incseg.engine import Experiment
from incseg.engine.checkpoint import load_previous, save_atomically
from incseg.engine.hooks.method import MethodHook
from incseg.engine.recipe.network import model_config, teacher_config
from incseg.engine.recipe.step import method_hooks
from incseg.engine.runner.optim import StepOptimWrapper
from incseg.models import BaseBackbone
from incseg.registry import HOOKS, MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
METHODS = (
    'ft',
    'frozen',
    'lwf',
    'lwf_mc',
    'ilt',
    'ewc',
    'pi',
    'rw',
    'mib',
    'plop',
    'ewf',
    'replay',
)
#: outputs of step 0 and of step 1; labels of the batch
CASES = {
    'one new class': ((4, 1), (0, 4, 255)),
    'no old or background pixel': ((4, 2), (4, 5)),
    'background alone': ((4, 2), (0,)),
    'all ignored': ((4, 2), (255,)),
    'as many classes as ADE20K': ((101, 50), (0, 101, 150, 255)),
}


@MODELS.register_module(force=True)
class TwoStages(BaseBackbone):
    out_channels = stage_channels = (4, 6)

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after))
            for before, after in ((3, 4), (4, 6))
        )

    def forward_stages(self, x):
        stages = []
        for layer in self.layers:
            stages.append(layer(x))
            x = stages[-1].relu()
        return tuple(stage.relu() for stage in stages), tuple(stages)


@lru_cache
def experiment(method):
    return Experiment(
        load_config(
            CONFIGS / method / 'bisenet_r18_shapes_4-1.py',
            {'model.backbone': dict(type='TwoStages'), 'model.auxiliary_head.aux_32': None},
        )
    )


class Step:
    """Student, teacher and hooks of a method at step 1, as the engine sets them up."""

    def __init__(self, method, outputs, folder, **parts):
        torch.manual_seed(0)
        config = {**model_config(experiment(method), 1), 'outputs_per_step': list(outputs), **parts}
        teacher = MODELS.build(teacher_config(config))
        for head in teacher.heads.values():  # it tells pixels apart, as after training
            nn.init.normal_(head.classifier.convs[0].weight)
        self.old = {name: value.clone() for name, value in teacher.state_dict().items()}
        self.student = MODELS.build(config)
        load_previous(self.student, self.old, 'step 0')
        start = MODELS.build(experiment(method).config['method']['classifier_init'])
        for head in self.student.heads.values():
            start(head.classifier)
        if self.student.needs_teacher:
            self.student.set_teacher(teacher)
        self.begun = {
            name: value.detach().clone() for name, value in self.student.named_parameters()
        }
        previous = folder / 'step_0.pth'
        gathered = {name: torch.rand_like(value) for name, value in teacher.named_parameters()}
        save_atomically(
            dict(
                state_dict=self.old,
                method_state={
                    name: dict(fisher=gathered, score=gathered) for name in ('ewc', 'pi', 'rw')
                },
                meta=dict(
                    incseg_version='0', method=method, protocol={}, step=0, classes=[], palette=[]
                ),
            ),
            previous,
        )
        self.hooks: list[MethodHook] = [
            HOOKS.build(hook)
            for hook in method_hooks(experiment(method).config['method'], 1, str(previous))
        ]
        trained = [value for value in self.student.parameters() if value.requires_grad]
        self.runner = SimpleNamespace(
            model=self.student,
            iter=0,
            logger=logging.getLogger('test'),
            optim_wrapper=StepOptimWrapper(
                optimizer=torch.optim.SGD(trained, lr=0.01, momentum=0.9, nesterov=True)
            ),
        )
        for hook in self.hooks:
            hook.before_train(self.runner)

    def losses(self, images, labels):
        labeller = self.student.target_labeller
        if labeller is not None and labeller.thresholds is None:
            labeller.prepare(
                [(labels, self.student.run_teacher(images))],
                self.student.decode_head.classifier.num_outputs,
            )
        return self.student.loss(images, labels)

    def train(self, images, labels, iterations=2):
        """Returns the first iteration's losses, the hooks' included."""
        logged = []
        for _ in range(iterations):
            found = self.losses(images, labels)
            self.runner.optim_wrapper.update_params(sum(found.values()))
            for hook in self.hooks:
                found.update(hook.losses())
            logged.append({name: value.item() for name, value in found.items()})
        for hook in self.hooks:
            hook.after_train(self.runner)
        return logged[0]


def batch(values, size=16):
    generator = torch.Generator().manual_seed(1)
    chosen = torch.randint(0, len(values), (2, size, size), generator=generator)
    return (
        torch.randn(2, 3, size, size, generator=generator),
        torch.tensor(values, dtype=torch.uint8)[chosen],
    )


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('case', CASES)
def test_an_update_stays_finite(method, case, tmp_path):
    """If it fails, the case turns a loss, an importance or a weight into NaN, or into an error.

    Void alone teaches nothing: the segmentation losses are 0.  So they are in PLOP for images
    without an old or background pixel, whose weight is 0.
    """
    outputs, values = CASES[case]
    step = Step(method, outputs, tmp_path)
    losses = step.train(*batch(values))
    state = [
        *step.student.state_dict().values(),
        *(
            value
            for hook in step.hooks
            for part in hook.state().values()
            for value in part.values()
        ),
    ]
    assert all(bool(value.isfinite().all()) for value in state)
    assert all(abs(value) < 1e3 for value in losses.values()), losses
    nothing = case == 'all ignored' or (method == 'plop' and case == 'no old or background pixel')
    for name in ('decode_head.loss', 'aux_16.loss'):
        assert (losses[name] == 0) == nothing, name


@pytest.mark.parametrize('method', METHODS)
def test_what_trains(method, tmp_path):
    """If it fails, a part stands still that the method trains, or one moves that it freezes."""
    step = Step(method, (4, 2), tmp_path)
    step.train(*batch((0, 4, 5)))
    moved = {
        name
        for name, value in step.student.named_parameters()
        if not torch.equal(value, step.begun[name])
    }
    new = {name for name in step.begun if '.classifier.steps.1.' in name}
    assert moved == (new if method == 'frozen' else set(step.begun))
    assert step.student.teacher is None or all(
        torch.equal(value, step.old[name])
        for name, value in step.student.teacher.state_dict().items()
    )


@pytest.mark.parametrize('method', ['lwf', 'lwf_mc', 'ilt', 'mib', 'plop', 'ewf'])
def test_a_student_equal_to_its_teacher_is_not_moved_by_distillation(method, tmp_path):
    """If it fails, what is kept from the teacher pulls away from it.

    With BatchNorm in evaluation, as the teacher's is.  PLOP without the logits' layer: to it a new
    class's logit, which starts at the background's, is added to the background's.
    """
    step = Step(method, (4, 1), tmp_path)
    step.student.eval()
    if method == 'plop':
        step.student.distillation['pooled'].logits_factor = 0.0
    terms = [value for name, value in step.losses(*batch((0, 4))).items() if 'distillation' in name]
    assert terms
    shared = [value for name, value in step.student.named_parameters() if 'backbone' in name]
    for gradient in torch.autograd.grad(sum(terms), shared, allow_unused=True):
        assert gradient is None or gradient.abs().max() < 1e-5


@pytest.mark.parametrize('method', ['ewc', 'pi', 'rw'])
def test_a_student_equal_to_its_teacher_pays_no_penalty(method, tmp_path):
    """If it fails, parameters are held elsewhere than where the step began."""
    losses = Step(method, (4, 1), tmp_path).train(*batch((0, 4)), iterations=1)
    assert losses['penalty'] == 0


def test_fusing_equal_networks_changes_nothing(tmp_path):
    """If it fails, EWF moves what no iteration has moved."""
    step = Step('ewf', (4, 1), tmp_path)
    before = {
        name: value.clone()
        for name, value in step.student.state_dict().items()
        if 'classifier.steps.0.bias' not in name
    }  # the initialisation lowered that one
    step.hooks[0].after_train(step.runner)
    for name, value in before.items():
        torch.testing.assert_close(step.student.state_dict()[name], value, rtol=1e-6, atol=0)
