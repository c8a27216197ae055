"""Compiling in place: the parts that are run, once, and no name changes."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import get_priority
from torch import nn
from torch._dynamo import config as dynamo_config

from incseg.engine import Experiment, train_protocol
from incseg.engine.hooks import CompileHook, IncrementalHook
from incseg.engine.recipe.network import model_config, teacher_config
from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from tests.common.toys import network_config


def network(**parts) -> SimpleNamespace:
    return SimpleNamespace(
        backbone=nn.Conv2d(3, 4, 1), heads=dict(a=nn.Conv2d(4, 5, 1), b=nn.Conv2d(4, 5, 1)), **parts
    )


@pytest.fixture
def build_plop(tiny):
    """PLOP's student of the last step with its teacher, two images and their labels."""
    config = model_config(Experiment(tiny('plop', bisenet=True, **{'protocol.name': '5-1'})), 1)
    student = MODELS.build(config).eval()
    student.set_teacher(MODELS.build(teacher_config(config)))
    student.target_labeller = None
    return student, torch.randn(2, 3, 32, 32), torch.randint(0, 7, (2, 32, 32))


def test_student_and_teacher_are_compiled_once(monkeypatch):
    """If it fails, a part runs uncompiled, or is compiled again at every step."""
    student = network(teacher=network())
    compiled = []
    compile_it = nn.Module.compile
    monkeypatch.setattr(
        nn.Module,
        'compile',
        lambda self, **options: (compiled.append((self, options)), compile_it(self, **options)),
    )
    hook = CompileHook(backend='eager')
    hook.before_train(SimpleNamespace(model=student))
    hook.before_train(SimpleNamespace(model=student))
    assert [module for module, _ in compiled] == [
        part
        for model in (student, student.teacher)
        for part in (model.backbone, *model.heads.values())
    ]
    assert all(options == dict(backend='eager') for _, options in compiled)


def test_a_compiled_run_is_the_run(tiny, tmp_path):
    """If it fails, compiling changes the names in the checkpoint, or what is trained."""
    config = tiny(**{'protocol.name': '5-1'})
    plain = train_protocol(config, tmp_path / 'plain', reuse=False)
    config.custom_hooks = dict(compile=dict(type='CompileHook', backend='eager'))
    compiled = train_protocol(config, tmp_path / 'compiled', reuse=False)
    states = [
        torch.load(tmp_path / name / 'step_1/final.pth', weights_only=True)['state_dict']
        for name in ('plain', 'compiled')
    ]
    assert list(states[0]) == list(states[1])
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=1e-5)
    assert len(compiled.steps) == len(plain.steps) == 2


def test_a_compiler_is_missing(tiny, tmp_path):
    """If it fails, a machine without a C++ compiler gets fifty lines of torch's stack."""

    def no_compiler(graph, inputs):
        raise RuntimeError('No working C++ compiler found')

    torch._dynamo.register_backend(no_compiler, name='no_compiler')
    torch.compiler.reset()
    config = tiny(**{'protocol.name': 'offline'})
    config.custom_hooks = dict(compile=dict(type='CompileHook', backend='no_compiler'))
    said = r'^schedule.compile is on, but .*\(.*No working C\+\+ compiler found\): it needs a C\+\+'
    with pytest.raises(InvalidInputError, match=said) as error:
        train_protocol(config, tmp_path / 'run', reuse=False)
    assert '\n' not in str(error.value)


def test_the_pass_with_stages_is_compiled(build_plop):
    """If it fails, methods that read intermediate maps (PLOP) run uncompiled in silence."""
    torch.compiler.reset()  # graphs of other tests count against torch's limit of eight
    student, images, labels = build_plop
    plain = student.loss(images, labels)
    passes = []

    def counted(graph, inputs):
        return lambda *arguments: passes.append(graph) or graph(*arguments)

    CompileHook(backend=counted).before_train(SimpleNamespace(model=student))
    compiled = student.loss(images, labels)
    assert len(passes) >= 4 + 2, "the student's backbone and three heads, the teacher's and one"
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value)


def test_five_steps(monkeypatch):
    """If it fails, torch's limit of graphs is reached after two steps: late heads run uncompiled.

    In each step the student's backbone and two heads, the teacher's backbone and one head are run.
    """
    torch.compiler.reset()
    made, passes, counts = [], [], []

    def counted(graph, inputs):
        made.append(graph)
        return lambda *arguments: passes.append(graph) or graph(*arguments)

    terms = dict(kd=dict(type='BinaryDistillation'))
    images, labels = torch.randn(2, 3, 32, 32), torch.randint(0, 2, (2, 32, 32))
    with dynamo_config.patch(recompile_limit=8, accumulated_recompile_limit=256):
        for k in range(5):
            outputs = (3,) + (1,) * k
            student = MODELS.build(network_config(outputs, distillation=terms if k else None))
            if k:
                student.set_teacher(MODELS.build(network_config(outputs[:-1])))
            CompileHook(backend=counted).before_train(SimpleNamespace(model=student))
            before = len(made), len(passes)
            sum(student.loss(images, labels).values()).backward()
            counts.append((len(made) - before[0], len(passes) - before[1]))
    print('new graphs and their passes in each step:', counts)
    assert [passed for _, passed in counts] == [3, 5, 5, 5, 5]


def test_it_comes_after_the_teacher_is_made():
    """If it fails, the teacher runs uncompiled."""
    assert get_priority(CompileHook.priority) > get_priority(IncrementalHook.priority)
