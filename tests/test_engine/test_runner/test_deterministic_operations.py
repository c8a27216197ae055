"""What torch refuses on a GPU with deterministic algorithms alone, looked for without a GPU."""

import pytest
import torch
import torch.nn.functional as F

from incseg.engine import Experiment, train_protocol
from tests.common.test_methods import OF_EACH_METHOD, toy
from tests.common.waits import DEVICE, OnDevice, StandIn, stand_in

#: operations of aten behind what ends in an error in the list of use_deterministic_algorithms
REFUSED = {
    *('avg_pool3d_backward', '_adaptive_avg_pool2d_backward', '_adaptive_avg_pool3d_backward'),
    *('adaptive_max_pool2d_backward', 'fractional_max_pool2d_backward', 'max_unpool2d'),
    *('fractional_max_pool3d_backward', 'max_unpool3d', 'upsample_linear1d_backward'),
    *('upsample_bilinear2d_backward', '_upsample_bilinear2d_aa_backward'),
    *('upsample_bicubic2d_backward', '_upsample_bicubic2d_aa_backward'),
    *('upsample_trilinear3d_backward', 'reflection_pad1d_backward', 'reflection_pad2d_backward'),
    *('reflection_pad3d_backward', '_ctc_loss_backward', '_embedding_bag_dense_backward'),
    *('put', 'put_', 'histc', 'kthvalue', 'grid_sampler_2d_backward', 'grid_sampler_3d_backward'),
}
#: and those that are refused with some arguments only
DEPENDS = dict(
    nll_loss2d_forward=lambda args: args[3] != 0,  # sums by atomic additions
    bincount=lambda args: len(args) > 1 and args[1] is not None,
    median=lambda args: len(args) > 1,
    nanmedian=lambda args: len(args) > 1,
    scatter_reduce=lambda args: args[4] == 'prod',
    scatter_reduce_=lambda args: args[4] == 'prod',
)


class Deterministic(StandIn):
    """A stand-in for a GPU that notes what a GPU would refuse."""

    def __init__(self):
        super().__init__()
        self.refused, self.seen = set(), set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix('aten::')
        if OnDevice in types:
            self.seen.add(name)
            if DEPENDS[name](args) if name in DEPENDS else name in REFUSED:
                self.refused.add(name)
        return super().__torch_dispatch__(func, types, args, kwargs)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp('base_steps')


@pytest.mark.filterwarnings('ignore:.*to a meta parameter')
@OF_EACH_METHOD
def test_training(path, shared, tmp_path, monkeypatch):
    """If it fails, a method cannot be trained on a GPU with ``schedule.deterministic=True``."""
    config = toy(path, shared)
    config.custom_hooks = {}
    config.schedule.deterministic = True
    config.schedule.checkpoint_interval = 100
    config.schedule.optimizer.update(fused=None, foreach=True)
    steps = range(min(2, Experiment(config).num_steps))
    with stand_in(monkeypatch, Deterministic()) as device:
        train_protocol(config, tmp_path / 'run', steps)
    assert not device.refused and 'convolution_backward' in device.seen


@pytest.mark.parametrize(
    ('call', 'refused'),
    [
        (lambda x: F.interpolate(x, (5, 5), mode='bicubic'), {'upsample_bicubic2d_backward'}),
        (lambda x: F.adaptive_avg_pool2d(x, 2), {'_adaptive_avg_pool2d_backward'}),
        (lambda x: F.cross_entropy(x, x.detach()[:, 0].long()), {'nll_loss2d_forward'}),
        (lambda x: F.cross_entropy(x, x.detach()[:, 0].long(), reduction='none'), set()),
        (lambda x: F.adaptive_avg_pool2d(x, 1), set()),
        (lambda x: x.median(1).values, {'median'}),
        (lambda x: x.max(), set()),
    ],
)
def test_refused(call, refused):
    """If it fails, an operation that a GPU refuses is not seen, or one is that it computes."""
    with Deterministic() as device:
        x = torch.zeros(1, 2, 4, 4).to(DEVICE).requires_grad_()
        call(x).sum().backward()
    assert device.refused == refused
