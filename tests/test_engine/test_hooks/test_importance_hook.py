"""The penalty of EWC, PI and RW: on a small network, over interruptions and over processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_checkpoint
from incseg.engine.hooks import EWCHook, ImportanceHook, PathIntegralHook, RiemannianWalkHook
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS

KINDS = [EWCHook, PathIntegralHook, RiemannianWalkHook]


class EqualImportance(ImportanceHook):
    """Every old parameter is as important as the other; notes the gradients it is shown."""

    def old_importance(self):
        return {name: torch.ones_like(value) for name, value in self.previous_state.items()}

    def gather(self, gradients):
        self.seen = {name: value.clone() for name, value in gradients.items()}

    def state(self):
        return {name: value.detach() for name, value in self.parameters.items()}


def equal(loss_weight):
    return lambda **kwargs: EqualImportance(loss_weight, **kwargs)


def test_the_base_step_is_free(walk):
    """Nothing is old: no penalty, and none in the log."""
    _, hook, penalties = walk.step(equal(10.0), 0, 3)
    assert penalties == [] and hook.losses() == {} and hook.importance == {}


def test_student_equals_teacher(walk):
    """Where nothing moved yet the penalty is 0 and the gradient the task's own."""
    walk.step(equal(10.0), 0, 3)
    model, hook, wrapper = walk.start(equal(10.0), 1)
    model.loss(0).backward()
    hook._after_backward()
    assert hook.losses()['penalty'] == 0
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.grad, hook.seen[name])


def test_penalty_is_added_after_gathering(walk):
    """10 * sum gap^2, its gradient 20 * gap; importance is learned from the task's gradient alone.

    The new classifier has no old value and is not held.
    """
    walk.step(equal(10.0), 0, 3)
    model, hook, wrapper = walk.start(equal(10.0), 1)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.25
    loss = model.loss(0)
    task = dict(zip(before, torch.autograd.grad(loss, list(model.parameters()))))
    loss = model.loss(0)
    loss.backward()
    hook._after_backward()
    old = sum(value.numel() for name, value in before.items() if 'steps.1' not in name)
    assert float(hook.losses()['penalty']) == pytest.approx(10 * old * 0.25**2, rel=1e-12)
    for name, parameter in model.named_parameters():
        assert torch.equal(hook.seen[name], task[name])
        pull = 0.0 if 'steps.1' in name else 20 * 0.25
        assert torch.allclose(parameter.grad, task[name] + pull, atol=1e-12)


def test_a_name_that_is_new_again(walk, monkeypatch):
    """If it fails, a network that names its new part the same in each step ends in a traceback.

    Importance without an old value holds nothing.
    """
    model, _, _ = walk.step(equal(10.0), 0, 1)

    def drop(self, state):
        return {name: state[name] for name in state if name != 'body.bias'}

    monkeypatch.setattr(type(model), 'adapt_previous', drop, raising=False)
    _, hook, _ = walk.start(equal(10.0), 1)
    assert 'body.weight' in hook.importance and 'body.bias' not in hook.importance


def test_a_parameter_without_gradient_is_still_held(walk):
    """If it fails, what the loss does not reach drifts by momentum, or the step dies."""
    walk.step(equal(10.0), 0, 1)
    model, hook, wrapper = walk.start(equal(10.0), 1)
    with torch.no_grad():
        model.body.bias += 1
    hook._after_backward()
    assert torch.allclose(model.body.bias.grad, torch.full((4,), 20.0, dtype=torch.float64))
    assert hook.seen == {}


def test_no_parameter_is_pulled_past_its_old_value(walk):
    """However large the weight, a step of plain SGD ends on the anchor less the task's own move.

    And again after the rate changed.  If it fails, the step ends 0.02 * 2e9 gaps
    on the other side, and the next one further.
    """
    walk.step(equal(1e9), 0, 3)
    model, hook, wrapper = walk.start(equal(1e9), 1)
    for lr in (0.02, 0.005, 0.3):
        for group in wrapper.optimizer.param_groups:
            group.update(lr=lr, momentum=0.0, nesterov=False)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.25
        wrapper.update_params(model.loss(0))
        for name, anchor in hook.anchor.items():
            expected = anchor - lr * hook.seen[name]
            assert torch.allclose(hook.parameters[name], expected, atol=1e-12), (name, lr)


@pytest.mark.parametrize('kind', KINDS)
def test_weight_zero_is_fine_tuning(walk, kind):
    """Gathering importance alone leaves the training as it is, bit for bit."""
    walk.step(kind, 0, 3)
    model, _, penalties = walk.step(lambda **kwargs: kind(loss_weight=0.0, **kwargs), 1, 5)
    free, _, _ = walk.start(kind, 1)
    optimizer = torch.optim.SGD(free.parameters(), lr=walk.lr, momentum=0.9, nesterov=True)
    for i in range(5):
        optimizer.zero_grad()
        free.loss(i + 100).backward()
        optimizer.step()
    assert penalties == [0.0] * 5
    for a, b in zip(model.parameters(), free.parameters()):
        assert torch.equal(a, b)


@pytest.mark.parametrize('kind', KINDS)
def test_as_many_classes_as_ade(walk, kind):
    """151 outputs in three steps of one hook: everything finite, old classifiers held."""
    walk.outputs = (101, 25, 25)
    for k in range(3):
        model, hook, penalties = walk.step(lambda **kwargs: kind(loss_weight=1.0, **kwargs), k, 12)
    assert all(0 <= value < 1e3 for value in penalties) and penalties[-1] > 0
    assert {'steps.0.weight', 'steps.1.weight'} <= set(hook.importance)
    assert not any('steps.2' in name for name in hook.importance)
    for values in hook.state().values():
        assert set(values) == {name for name, _ in model.named_parameters()}
        assert all(bool(value.isfinite().all()) for value in values.values())


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_to_go_by(walk, kind):
    """A step that left no importance is an error with one line, not a step without penalty."""
    model, _, _ = walk.step(kind, 0, 1)
    walk.step(kind, 1, 1)
    walk.save(model, 1, {})
    with pytest.raises(InvalidInputError, match='method.hooks.held: .*step_1.pth holds no imp'):
        walk.start(kind, 2)


@pytest.mark.parametrize('weight', [-1, 'much', float('nan'), None])
def test_bad_weight(weight):
    """If it fails, parameters are pushed away from their old values, or step 1 dies."""
    message = f'^method.hooks.ewc.loss_weight is {weight!r}, expected a number of at least 0'
    with pytest.raises(InvalidInputError, match=message):
        EWCHook(weight, name='ewc')


@HOOKS.register_module()
class CutHook(Hook):
    """Breaks off the training of the steps in ``cuts`` after five iterations, once each."""

    priority = 'LOWEST'
    cuts: set = set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        step = runner.work_dir[-6:]
        if batch_idx == 4 and step in type(self).cuts:
            type(self).cuts.discard(step)
            raise KeyboardInterrupt


def everything(folder, k):
    """All tensors of a step: the network's and the hook's, by path."""
    checkpoint = read_checkpoint(folder / f'step_{k}' / 'final.pth')
    found = dict(checkpoint['state_dict'])
    for name, parts in checkpoint.get('method_state', {}).items():
        found |= {
            (name, part, key): value
            for part, values in parts.items()
            for key, value in values.items()
        }
    return found


def test_interrupted_equals_uninterrupted(tiny, tmp_path):
    """Weights and importance, bit for bit; and the log has the penalty of every step but 0.

    All three hooks in one run; RW counts every three iterations, as there are
    too few here for ten.
    """
    made = tiny(
        'ft',
        batch_size=4,
        **{'schedule.log_interval': 1, 'data.train.length': 48, 'protocol.name': '5-1'},
    )
    made.method.hooks = dict(
        ewc=dict(type='EWCHook', loss_weight=1.0),
        pi=dict(type='PathIntegralHook', loss_weight=1.0),
        rw=dict(type='RiemannianWalkHook', loss_weight=1.0, interval=3),
    )
    made.custom_hooks = dict(cut=dict(type='CutHook'))
    CutHook.cuts = set()
    train_protocol(made, tmp_path / 'whole', reuse=False)
    CutHook.cuts = {'step_0', 'step_1'}
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_protocol(made, tmp_path / 'cut', reuse=False, resume=True)
    train_protocol(made, tmp_path / 'cut', reuse=False, resume=True)
    for k in range(2):
        whole, cut = everything(tmp_path / 'whole', k), everything(tmp_path / 'cut', k)
        assert set(whole) == set(cut)
        for name, value in whole.items():
            assert torch.equal(value, cut[name]), (k, name)
        log = next((tmp_path / 'whole' / f'step_{k}').rglob('scalars.json')).read_text()
        for hook in made.method.hooks:
            penalties = [json.loads(line).get(f'{hook}.penalty') for line in log.splitlines()]
            if k == 0:
                assert set(penalties) == {None}
            else:
                assert penalties[0] == 0 and penalties[-1] > 0


SAME_STATE = """
import torch
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from incseg.engine.hooks import ImportanceHook
from incseg.registry import HOOKS


@HOOKS.register_module()
class SameState(Hook):
    priority = 'LOWEST'

    def after_train(self, runner):
        for hook in runner.hooks:
            if isinstance(hook, ImportanceHook):
                parts = {**hook.state(), 'held': hook.importance}
                for part, values in parts.items():
                    for name, value in values.items():
                        first, second = all_gather(value)
                        assert torch.equal(first, second), (hook.name, part, name)
                print('compared-' + hook.name, flush=True)
"""


def test_two_processes(tool_environment, free_port, toy_leaf, tmp_path):
    """Both processes find the same importance, bit for bit, and what one process finds.

    RW (with EWC's Fisher information from a pass over the base step) and PI in
    one run; group normalisation and no dropout, as batch statistics are each
    process's own on a CPU, and a damping, as rounding decides over PI's score
    of what is back where it began.
    """
    root = tool_environment['PYTHONPATH']
    (tmp_path / 'same_state.py').write_text(SAME_STATE)
    more = (
        "norm_cfg = dict(type='GN', num_groups=4)\n"
        'model.update(decode_head=dict(dropout_ratio=0.))\n'
        'method = dict(hooks=dict(rw=dict(interval=1), '
        "pi=dict(type='PathIntegralHook', loss_weight=1., damping=1e-3)))\n"
        "custom_hooks = dict(same=dict(type='SameState'))\n"
    )
    config = Path(toy_leaf('rw/bisenet_r18_shapes_4-1', more, ['same_state'], 'GN'))
    environment = dict(
        tool_environment, PORT=free_port, PYTHON=sys.executable, PYTHONPATH=f'{root}:{tmp_path}'
    )
    options = [
        '--no-reuse',
        '--cfg-options',
        'data.train.length=32',
        'data.test.length=4',
        'data.train.size=32',
        'data.test.size=32',
        'batch_size=8',
        'epochs=1',
        'protocol.name=5-1',
    ]

    def run(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shown = run(f'{root}/tools/dist_train.sh', str(config), '2', '--work-dir', 'two', *options)
    assert shown.count('compared-rw') == 2 and shown.count('compared-pi') == 2 * 2
    config.write_text(config.read_text().replace("dict(type='SameState')", 'None'))
    run(sys.executable, f'{root}/tools/train.py', str(config), '--work-dir', 'one', *options)
    for k in range(2):
        one, two = everything(tmp_path / 'one', k), everything(tmp_path / 'two', k)
        assert set(one) == set(two)
        for name, value in one.items():
            apart = (value - two[name]).abs().max()
            assert apart <= 1e-3 * value.abs().max() + 1e-6, (k, name)
