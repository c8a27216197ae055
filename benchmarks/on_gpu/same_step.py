"""One training step of a method on the CPU and on the GPU: the same losses and gradients.

    PYTHONPATH=benchmarks:. python -m on_gpu.same_step [--methods mib lwf plop] [--size 256]

Both compute in float32 without TF32.  Losses are those of a training step.  Gradients are compared
with norms in evaluation mode: a norm over the few values of a small batch enlarges rounding a
thousandfold.  Without a GPU float32 is compared with float64.
"""

import argparse
from copy import deepcopy

import torch
from mmengine.registry import init_default_scope
from side_by_side import CUDA, ROOT, one_by_one, target
from torch import Tensor

from incseg.apis.config.loading import load_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config, teacher_config
from incseg.registry import MODELS

STEP = 1
#: relative differences: of a loss, of a parameter's gradient by its norm
LOSS = GRADIENT = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--methods', nargs='+', default=['mib', 'lwf', 'plop'])
    parser.add_argument('--size', type=int, default=256)
    args = parser.parse_args()
    init_default_scope('incseg')
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    def compare(method: str) -> None:
        losses, gradients = differences(method, args.size, 'cuda' if CUDA else torch.float64)
        place = f'{method}, CPU and {"GPU" if CUDA else "float64"}'
        target(f'{place}, losses differ by', losses, at_most=LOSS, unit='')
        target(f'{place}, gradients differ by', gradients, at_most=GRADIENT, unit='')

    one_by_one(args.methods, compare)


def differences(method: str, size: int, other: str | torch.dtype) -> tuple[float, float]:
    """The largest relative difference of a loss, and of a gradient, between a CPU and another.

    Args:
        method: The method.
        size: Side of the images.
        other: A device, or the type of numbers in which a CPU computes.
    """
    config = load_config(
        ROOT / f'configs/{method}/bisenet_r101_15-1.py',
        {'pretrained': False, 'model.backbone.depth': 18},
    )
    network = model_config(Experiment(config), STEP)
    torch.manual_seed(0)
    student, teacher = MODELS.build(network), MODELS.build(teacher_config(network))
    for net in (student, teacher):  # classifiers that tell pixels apart, as after training
        for head in net.heads.values():
            for conv in head.classifier.convs:
                torch.nn.init.normal_(conv.weight, std=0.3)
    inputs = torch.randn(2, 3, size, size)
    labels = torch.randint(0, student.num_classes, (2, size, size), dtype=torch.uint8)
    labeller = student.target_labeller
    if labeller is not None:  # PLOP's thresholds, the same for both
        student.set_teacher(teacher)
        labeller.prepare([(labels, student.run_teacher(inputs))], student.num_classes)
        student.set_teacher(None)
    found = []
    for place in ('cpu', other):
        net = deepcopy(student).to(place)
        net.set_teacher(deepcopy(teacher).to(place))
        batch = inputs.to(place), labels.to(next(net.parameters()).device)
        sum(net.eval().loss(*batch).values()).backward()  # type: ignore[union-attr]
        gradients = {
            name: parameter.grad.detach().cpu().double()
            for name, parameter in net.named_parameters()
            if parameter.grad is not None
        }
        with torch.no_grad():
            losses = {name: loss.cpu() for name, loss in net.train().loss(*batch).items()}
        found.append((losses, gradients))
    (losses, gradients), (others, other_gradients) = found
    print(method, {name: f'{float(loss):.6f}' for name, loss in losses.items()})
    return worst(losses, others), worst(gradients, other_gradients)


def worst(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two tensors of a name, relative to the first one's norm.

    Tensors that hold next to nothing of the whole, such as a bias before a norm, count by the
    norm of all.
    """
    floor = 1e-3 * max(float(value.norm()) for value in one.values())
    return max(
        float((value - other[name]).norm()) / max(float(value.norm()), floor)
        for name, value in one.items()
    )


if __name__ == '__main__':
    main()
