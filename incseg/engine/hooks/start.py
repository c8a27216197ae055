"""Hooks that start a network from another one."""

from typing import Any

from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from incseg.engine.checkpoint import (
    FilePath,
    load_previous,
    load_weights,
    read_step_checkpoint,
)
from incseg.engine.hooks.data_pass import teacher_pass
from incseg.engine.hooks.method import StepHook
from incseg.engine.recipe.network import teacher_config
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS, MODELS


@HOOKS.register_module()
class IncrementalHook(StepHook):
    """Prepare the student and the teacher before an incremental step.

    If the method needs a teacher, it is built outside the module tree and loaded
    with the network of the previous step.  Unless the step is resumed, the student
    gets the same weights, and the new classifier of every head is initialised in
    place.  The target labeller, if there is one, gets a pass over the step's data
    (``prepare``), also when the step is resumed, and is told every epoch.

    Args:
        previous: The previous step's ``final.pth``.
        classifier_init: Config of the initialisation of new classifiers.
    """

    priority = 'HIGH'

    def __init__(self, previous: FilePath | None, classifier_init: dict):
        super().__init__(previous)
        self.init = MODELS.build(classifier_init)

    def before_train(self, runner: Any) -> None:
        student = runner.model.module if is_model_wrapper(runner.model) else runner.model
        assert self.previous is not None  # it takes no part in step 0
        if student.needs_teacher:
            teacher = MODELS.build(teacher_config(runner.cfg.model))
            load_weights(teacher, self.previous.state_dict, self.previous)
            student.set_teacher(teacher.to(next(student.parameters()).device))
        if runner.iter == 0:
            load_previous(student, self.previous.state_dict, self.previous)
            for head in student.heads.values():
                self.init(head.classifier)
                for parameter in head.classifier.parameters():
                    broadcast(parameter.data)  # a random start must be the same everywhere
        if student.target_labeller is not None:
            student.target_labeller.prepare(teacher_pass(runner), student.num_classes)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        student = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if student.target_labeller is not None:
            epoch_iters = runner.train_dataloader.batch_sampler.epoch_iters
            student.target_labeller.set_epoch(batch_idx // epoch_iters)


#: where a step's network has its ResNet: in BiSeNet's context path, or as its backbone
PLACES = ('backbone.context_path.resnet.', 'backbone.')


@HOOKS.register_module()
class StartBackboneHook(Hook):
    """Start a network's backbone from the ResNet of a step's network, unless resuming.

    Args:
        checkpoint: The ``final.pth`` of that step.
    """

    priority = 'HIGH'

    def __init__(self, checkpoint: str):
        self.checkpoint = checkpoint

    def before_train(self, runner: Any) -> None:
        if runner.iter == 0:
            network = runner.model.module if is_model_wrapper(runner.model) else runner.model
            load_backbone(network.backbone, self.checkpoint)


def load_backbone(backbone: nn.Module, checkpoint: str) -> None:
    """Copy every weight of a backbone from the network of a step, which has further weights.

    Args:
        backbone: The backbone; it is changed.
        checkpoint: The ``final.pth`` of the step.

    Raises:
        MissingFileError, InvalidInputError: The file is missing or not a step's, or
            its network has no such backbone.
    """
    state = read_step_checkpoint(checkpoint)['state_dict']
    own: dict[str, Tensor] = backbone.state_dict()
    for place in PLACES:
        weights = {name: state[place + name] for name in own if place + name in state}
        shapes = {name: value.shape for name, value in weights.items()}
        if shapes == {name: value.shape for name, value in own.items()}:
            backbone.load_state_dict(weights)
            return
    raise InvalidInputError(
        f'init_from: the network in {checkpoint} has no {type(backbone).__name__} of this '
        'depth and norm_cfg: the backbones have to be equal'
    )
