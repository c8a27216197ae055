from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from incseg.engine.checkpoint import read_step_checkpoint
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS

#: where a step's network has its ResNet: in BiSeNet's context path, or as its backbone
PLACES = ('backbone.context_path.resnet.', 'backbone.')


@HOOKS.register_module()
class StartBackboneHook(Hook):
    """Starts a network's backbone from the ResNet of a step's network, unless resuming.

    Args:
        checkpoint: A step's ``final.pth``.
    """

    priority = 'HIGH'

    def __init__(self, checkpoint: str):
        self.checkpoint = checkpoint

    def before_train(self, runner: Any) -> None:
        if runner.iter == 0:
            network = runner.model.module if is_model_wrapper(runner.model) else runner.model
            load_backbone(network.backbone, self.checkpoint)


def load_backbone(backbone: nn.Module, checkpoint: str) -> None:
    """Copy every weight of a backbone from a step's network, which has more than these.

    Raises:
        MissingFileError, InvalidInputError: The file is not there or not a
            step's, or its network has no such backbone.
    """
    state = read_step_checkpoint(checkpoint)['state_dict']
    own: dict[str, Tensor] = backbone.state_dict()
    for place in PLACES:
        found = {name: state[place + name] for name in own if place + name in state}
        if len(found) == len(own) and all(found[name].shape == own[name].shape for name in own):
            backbone.load_state_dict(found)
            return
    raise InvalidInputError(
        f'init_from: the network in {checkpoint} has no {type(backbone).__name__} of this '
        'depth and norm_cfg: the backbones have to be equal')
