"""The student's losses: by hand, at its start, in low precision, of single classes."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData

from incseg.errors import InvalidInputError
from incseg.models import BaseDistillation
from incseg.models.distillation import logits as terms
from incseg.models.losses import segmentation
from incseg.models.losses.functional import unbiased_cross_entropy, unbiased_distillation
from incseg.models.losses.fused import fused_losses
from incseg.registry import MODELS
from incseg.structures import SegDataSample

HEADS = ('decode_head', 'aux_16', 'aux_32')


@MODELS.register_module(force=True)
class FeatureGap(BaseDistillation):
    """A custom term over backbone features."""

    def compare(self, student, teacher):
        return (student.features[-1] - teacher.features[-1]).square().mean()


def test_losses_by_hand(build_pair, batch):
    """If it fails, MiB's total is not UCE on three heads plus 10 x UKD on the fused output."""
    unbiased = dict(type='FCNHead', loss_decode=dict(type='UnbiasedCrossEntropyLoss'))
    model = build_pair(
        [4, 2],
        decode_head=unbiased,
        auxiliary_weight=0.5,
        auxiliary_head=dict(aux_16=unbiased, aux_32=unbiased),
    ).eval()
    inputs, labels = batch()
    labels[0, :3] = 255
    losses = model.loss(inputs, labels)
    assert list(losses) == [*(f'{name}.loss' for name in HEADS), 'distillation.logits.loss']
    student, teacher = model.extract(inputs), model.teacher.extract(inputs)
    for name in HEADS:
        weight = 1.0 if name == 'decode_head' else 0.5
        expected = weight * unbiased_cross_entropy(student.full_size(name), labels, 4)
        torch.testing.assert_close(losses[f'{name}.loss'], expected)
    torch.testing.assert_close(
        losses['distillation.logits.loss'],
        10
        * unbiased_distillation(student.full_size('decode_head'), teacher.full_size('decode_head')),
    )


@pytest.mark.parametrize('steps', [[4, 2], [3, 1, 1]])
def test_init_invariants_on_all_heads(build_pair, steps):
    """If it fails, a head starts the step with other probabilities than the teacher's."""
    model = build_pair(steps, bisenet=True, dtype=torch.float64).eval()
    inputs = torch.randn(1, 3, 40, 33, dtype=torch.float64)
    k, n = sum(steps[:-1]), steps[-1]
    with torch.no_grad():
        student, teacher = model.extract(inputs), model.teacher.extract(inputs)
    assert set(student.logits) == set(HEADS)
    for name in HEADS:
        # at the size of the loss: bilinear weights sum to one, so the shift survives
        after, before = (x.full_size(name).softmax(1) for x in (student, teacher))
        assert before.std(dim=(0, 2, 3)).min() > 1e-4  # pixels differ
        share = before[:, :1] / (n + 1)
        torch.testing.assert_close(after[:, :1], share, rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(after[:, k:], share.expand(-1, n, -1, -1), rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(after[:, 1:k], before[:, 1:], rtol=1e-9, atol=1e-14)
        entropy = -(before * before.log()).sum(1).mean() / k
        torch.testing.assert_close(
            unbiased_distillation(student.full_size(name), teacher.full_size(name)), entropy
        )


def test_custom_term(build_pair, batch):
    """If it fails, a registered term cannot reach the features of both networks."""
    model = build_pair(
        [4, 2],
        distillation=dict(features=dict(type='FeatureGap', loss_weight=3.0, source='features')),
    ).eval()
    inputs, labels = batch()
    assert model.loss(inputs, labels)['distillation.features.loss'] == 0  # it starts as its teacher
    torch.nn.init.zeros_(model.backbone.conv.weight)
    gap = model.backbone(inputs)[-1] - model.teacher.backbone(inputs)[-1]
    torch.testing.assert_close(
        model.loss(inputs, labels)['distillation.features.loss'], 3 * gap.square().mean()
    )


@pytest.mark.parametrize('steps', [[4, 1], [2] + [1] * 100])
def test_single_class_steps_train(build_pair, steps, batch):
    """If it fails, 15-1 (one class a step) or a hundred steps do not train."""
    model = build_pair(steps)
    inputs, labels = batch(classes=sum(steps))
    losses = model.loss(inputs, labels)
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.teacher.decode_head.classifier.num_outputs == sum(steps) - 1


def test_train_step_of_mmengine(build_pair, batch):
    """If it fails, the Runner gets no total, or leaves a term out of it."""
    model = build_pair([4, 2])
    inputs, labels = batch()
    samples = []
    for label in labels:
        samples.append(SegDataSample())
        samples[-1].gt_sem_seg = PixelData(data=label[None])
    images = [(image * 40 + 120).clamp(0, 255).to(torch.uint8) for image in inputs]
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    logs = model.train_step(dict(inputs=images, data_samples=samples), wrapper)
    terms = [value for name, value in logs.items() if name != 'loss']
    assert len(terms) == 4
    torch.testing.assert_close(logs['loss'], sum(terms))


def test_distillation_in_low_precision(build_pair, batch):
    """If it fails, autocast computes the losses themselves in bfloat16."""
    model = build_pair([4, 2]).eval()
    inputs, labels = batch()
    exact = model.loss(inputs, labels)
    with torch.autocast('cpu', torch.bfloat16):
        rough = model.loss(inputs, labels)
    for name, value in rough.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name], rtol=0.05, atol=0.05)


def test_classifiers_compute_in_float32(build_pair, batch):
    """If it fails, logits are bfloat16: the distillation's gradient is off by several percent.

    It is a difference of probabilities that are nearly equal.
    """
    model = build_pair([4, 2], bisenet=True).eval()
    with torch.autocast('cpu', torch.bfloat16):
        outputs = model.extract(batch()[0], intermediate=True)
        teacher = model.run_teacher(batch()[0])
    assert outputs.head_features['decode_head'].dtype == torch.bfloat16
    assert teacher.logits['decode_head'].dtype == torch.float32
    for name, head in model.heads.items():
        assert outputs.logits[name].dtype == torch.float32
        exact = head.classifier(outputs.head_features[name].float())
        assert torch.equal(outputs.logits[name], exact)
    assert model.bfloat16()(batch()[0]).dtype == torch.bfloat16


def test_the_term_shares_the_heads_pass(build_pair, monkeypatch, batch):
    """If it fails, the logits of the fused output are upsampled twice."""
    seen = []
    for module in (terms, segmentation):
        monkeypatch.setattr(
            module,
            'fused_losses',
            lambda x, *args, **kwargs: seen.append(x) or fused_losses(x, *args, **kwargs),
        )
    build_pair([4, 2]).loss(*batch())
    assert len(seen) == len(HEADS)


@pytest.mark.parametrize(
    'method, key, value, message',
    [
        (
            'plop',
            'distillation.pooled.feature_factor',
            'a',
            "PooledDistillation feature_factor is 'a', expected a number of at",
        ),
        (
            'plop',
            'distillation.pooled.logits_factor',
            -1,
            'distillation.pooled: PooledDistillation logits_factor is -1, expected',
        ),
        (
            'mib',
            'distillation.logits.alpha',
            'x',
            "distillation.logits: UnbiasedLogitsDistillation alpha is 'x', expected",
        ),
        (
            'mib',
            'distillation.logits.loss_weight',
            -10,
            'method.distillation.logits.loss_weight is -10, expected',
        ),
        (
            'lwf_mc',
            'distillation.logits.loss_weight',
            -10,
            'method.distillation.logits.loss_weight is -10, expected',
        ),
        ('mib', 'loss_decode.loss_weight', -1, 'method.loss_decode.loss_weight is -1, expected'),
        ('lwf_mc', 'loss_decode.loss_weight', -1, 'method.loss_decode.loss_weight is -1, expected'),
        ('plop', 'target_labeller.min_threshold', 'x', "min_threshold is 'x', expected"),
        (
            'ewc',
            'hooks.ewc.alpha',
            'x',
            "method.hooks.ewc.alpha is 'x', expected a number from 0 to 1",
        ),
        ('ewc', 'hooks.ewc.loss_weight', -1, 'method.hooks.ewc.loss_weight is -1, expected'),
        (
            'pi',
            'hooks.pi.damping',
            'x',
            "method.hooks.pi.damping is 'x', expected a number above 0",
        ),
        (
            'rw',
            'hooks.rw.interval',
            'x',
            "method.hooks.rw.interval is 'x', expected a whole number",
        ),
        (
            'rw',
            'hooks.rw.interval',
            2.5,
            'method.hooks.rw.interval is 2.5, expected a whole number',
        ),
    ],
)
def test_a_bad_number_is_found_in_the_config(method, key, value, message, tiny):
    """If it fails, a method's number that is none is found after the base step was trained."""
    with pytest.raises(InvalidInputError, match=message) as error:
        tiny(method, **{f'method.{key}': value})
    assert '\n' not in str(error.value)
