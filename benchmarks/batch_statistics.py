"""How large PLOP's and ILT's terms are between two equal networks: what batch statistics make.

The student is the teacher, weight by weight.  In training its BatchNorms normalise by the batch,
the teacher's by their running statistics; with frozen norms both do the latter.

    python benchmarks/batch_statistics.py CONFIG STEP_0/final.pth --step 1 --cfg-options …
"""

import copy

import side_by_side  # noqa: F401 - the checkout before an installed package
import torch
from mmengine.registry import init_default_scope
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.apis.config.loading import load_config
from incseg.cli.arguments import ArgumentParser, add_config_arguments, options_of
from incseg.engine import Experiment
from incseg.engine.checkpoint import load_weights, read_step_checkpoint
from incseg.engine.recipe.data import dataset_config
from incseg.engine.recipe.network import network_config
from incseg.models.distillation import FeatureDistillation, PooledDistillation
from incseg.registry import DATASETS, MODELS, SCOPE

TERMS = {
    'PLOP, published factors': PooledDistillation(),
    'ILT, weight 100': FeatureDistillation(100.0),
}
SIZES = (4, 8, 16, 32, 64)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config')
    parser.add_argument('checkpoint', help='final.pth of the step before')
    parser.add_argument('--step', type=int, default=1)
    add_config_arguments(parser)
    args = parser.parse_args()
    init_default_scope(SCOPE)
    experiment = Experiment(load_config(args.config, options_of(args)))
    k = args.step
    teacher = MODELS.build(network_config(experiment, k - 1)).eval()
    load_weights(teacher, read_step_checkpoint(args.checkpoint)['state_dict'], args.checkpoint)
    data = DATASETS.build(dataset_config(experiment, k, 'train'))
    samples = [data[(i, i)] for i in range(min(64, len(data)))]
    print(f'{len(samples)} pictures of step {k}; terms of one network with itself')
    print(f'{"term":<24} {"norms":<8}' + ''.join(f'{f"batch {n}":>10}' for n in SIZES))
    for name, term in TERMS.items():
        for norms in ('trained', 'frozen'):
            values = [mean_term(term, teacher, samples, n, norms == 'frozen') for n in SIZES]
            print(f'{name:<24} {norms:<8}' + ''.join(f'{value:>10.3g}' for value in values))


@torch.no_grad()
def mean_term(term, teacher, samples, batch, frozen):
    """Return the mean of the term over batches; the student's statistics are not updated."""
    student = copy.deepcopy(teacher)
    for module in student.modules():
        if isinstance(module, _BatchNorm):
            module.train(not frozen)
            module.momentum = 0.0
    values = []
    for start in range(0, len(samples) - batch + 1, batch):
        part = samples[start : start + batch]
        inputs = teacher.data_preprocessor(
            dict(
                inputs=[sample['inputs'] for sample in part],
                data_samples=[sample['data_samples'] for sample in part],
            )
        )['inputs']
        ours, theirs = (net.extract(inputs, intermediate=True) for net in (student, teacher))
        values.append(float(term.loss_weight * term.compare(ours, theirs)))
    return sum(values) / len(values)


if __name__ == '__main__':
    main()
