from torch import nn

from incseg.models import ResNet
from incseg.models.weak.seam import FineTuned


def held(frozen):
    model = FineTuned()
    model.backbone = ResNet(depth=18, num_stages=3, output_stride=8)
    model.freeze(frozen)
    return model.train()


def norms(model):
    return [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def test_held():
    """If it fails, ImageNet's statistics are lost in a few small batches."""
    model = held(True)
    early = [weight for part in model.backbone.early_layers() for weight in part.parameters()]
    assert early and not any(weight.requires_grad for weight in early)
    assert norms(model)
    assert not any(norm.training or norm.weight.requires_grad for norm in norms(model))
    last = [part for part in model.modules() if isinstance(part, nn.Conv2d)][-1]
    assert last.weight.requires_grad and model.training
    assert not any(part.training for part in model.eval().modules())


def test_free():
    """From noise nothing may be held."""
    model = held(False)
    assert all(weight.requires_grad for weight in model.parameters())
    assert all(norm.training for norm in norms(model))
