"""A toy network of another library, imported: what a run starts from in tests."""

import torch

from incseg.apis.import_model import import_model
from incseg.models import importers
from incseg.models.importers import SourceNetwork
from incseg.registry import MODELS
from tests.common.foreign_networks import trained
from tests.common.toys import network_config

BASE = ['background', 'disc', 'square', 'triangle', 'ring']
TOY = dict(backbone=dict(type='ToyBackbone'), decode_head=dict(type='FCNHead'), auxiliary_head=None)


def toy_weights(outputs=5, seed=0):
    """The state dict of a toy network of another library, with its names."""
    torch.manual_seed(seed)
    net = trained(MODELS.build(network_config([outputs], auxiliary_head=None)))
    return {name.replace('backbone.', 'theirs.'): x for name, x in net.state_dict().items()}


def know_toy(monkeypatch):
    """Let the library know the toy network by the name ``toy``."""
    source = SourceNetwork(TOY, [(r'theirs\.', 'backbone.')])
    monkeypatch.setitem(importers.NETWORKS, 'toy', lambda state: source)


def imported_toy(folder, classes=BASE, background=True, seed=0, **options):
    """Import a toy network; returns its ``final.pth``."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = len(classes)
    torch.save(dict(state_dict=toy_weights(outputs, seed)), folder / 'net.pth')
    options |= dict(background=background)
    return import_model(folder / 'net.pth', 'toy', folder / 'start', classes, **options)[0]
