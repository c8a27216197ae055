import torch

from incseg.engine import Experiment, evaluate
from incseg.engine.recipe.network import model_config
from incseg.registry import DATASETS, MODELS


def test_equals_a_plain_loop(tiny, tmp_path):
    """The Runner, its loader and the metric must count what a bare loop over the images counts."""
    experiment = Experiment(tiny(num_workers=1))
    torch.manual_seed(0)
    model = MODELS.build(model_config(experiment, 1)).eval()
    with torch.no_grad():  # spread the predictions over the classes
        for parameter in model.decode_head.classifier.parameters():
            parameter.normal_(std=1.0)
    metrics = evaluate(experiment, 1, dict(state_dict=model.state_dict()), 'memory', str(tmp_path))

    from incseg.engine.recipe.data import dataset_config

    dataset = DATASETS.build(dataset_config(experiment, 1, 'test'))
    counts = torch.zeros(6, 6, dtype=torch.int64)
    for i in range(len(dataset)):
        sample = dataset[i]
        with torch.no_grad():
            [result] = model.test_step(
                dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
            )
        truth = sample['data_samples'].gt_sem_seg.data[0]
        for t, p in zip(truth.flatten().tolist(), result.pred_sem_seg.data.flatten().tolist()):
            if t != 255:
                counts[t, p] += 1
    assert int((counts.sum(0) > 0).sum()) > 1, 'the predictions are not all one class'
    hit = counts.diag().double()
    iou = 100 * hit / (counts.sum(0) + counts.sum(1) - hit)
    assert list(metrics['iou']) == experiment.classes_at(1)
    assert torch.allclose(torch.tensor(list(metrics['iou'].values())).double(), iou)
    assert abs(metrics['accuracy'] - float(100 * hit.sum() / counts.sum())) < 1e-9
