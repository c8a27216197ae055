"""One training step of a method on the CPU and on the GPU: the same losses and gradients.

    PYTHONPATH=benchmarks:. python -m on_gpu.same_step [--methods mib lwf plop] [--size 256]

Both compute in float32 without TF32.  Without a GPU the CPU is compared with itself.
"""

import argparse

import torch
from mmengine.registry import init_default_scope
from side_by_side import CUDA, ROOT, target
from torch import Tensor

from incseg.apis.config.loading import load_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config, teacher_config
from incseg.registry import MODELS

STEP = 1
#: relative differences: of a loss, of a parameter's gradient by its norm
LOSS, GRADIENT = 1e-4, 1e-2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--methods', nargs='+', default=['mib', 'lwf', 'plop'])
    parser.add_argument('--size', type=int, default=256)
    args = parser.parse_args()
    init_default_scope('incseg')
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for method in args.methods:
        losses, gradients = differences(method, args.size)
        place = f'{method}, CPU and {"GPU" if CUDA else "CPU"}'
        target(f'{place}, losses differ by', losses, at_most=LOSS, unit='')
        target(f'{place}, gradients differ by', gradients, at_most=GRADIENT, unit='')


def differences(method: str, size: int) -> tuple[float, float]:
    """The largest relative difference of a loss, and of a gradient, between both devices."""
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
    found = []
    for device in ('cpu', 'cuda' if CUDA else 'cpu'):
        student.to(device).train().set_teacher(teacher.to(device))
        student.zero_grad()
        losses = student.loss(inputs.to(device), labels.to(device))
        sum(losses.values()).backward()  # type: ignore[union-attr]
        gradients = {
            name: parameter.grad.detach().cpu().double()
            for name, parameter in student.named_parameters()
            if parameter.grad is not None
        }
        found.append(({name: loss.detach().cpu() for name, loss in losses.items()}, gradients))
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
