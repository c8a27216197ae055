from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from incseg.engine.checkpoint import StepCheckpoint, check_protocol, load_weights
from incseg.engine.figures.layout import grid
from incseg.engine.recipe.data import dataset_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS
from incseg.utils.outputs import check_outputs
from incseg.utils.pictures import check_picture_name, paint, write_picture


def draw_comparison(
    config: Any, runs: Mapping[str, str], images: Sequence[int], path: Path, force: bool = False
) -> None:
    """Draw test images, their truth, and the predictions of several saved networks.

    Args:
        config: A complete, checked config; truth shows the classes of its last step.
        runs: For the title of each column, the ``final.pth`` of a step of the
            config's protocol, of any method.
        images: Indices of test images, one row each.
        path: The picture to write.
        force: Whether it may be there already.

    Raises:
        UserError: A checkpoint does not fit, an index is out of range, or the picture is
            there already.
    """
    check_picture_name(path)
    experiment = Experiment(config)
    dataset = DATASETS.build(dataset_config(experiment, experiment.num_steps - 1, 'test'))
    for index in images:
        if not 0 <= index < len(dataset):
            raise InvalidInputError(
                f'--images {index} is out of range: there are {len(dataset)} test images'
            )
    check_outputs([path], [*runs.values(), *dataset.dataset.input_files()], force=force)
    samples = [dataset[index] for index in images]
    pictures = [np.ascontiguousarray(s['inputs'].numpy().transpose(1, 2, 0)) for s in samples]
    truths = [s['data_samples'].gt_sem_seg.data[0].numpy() for s in samples]
    columns = {
        'image': [
            cv2.resize(picture, truth.shape[::-1]) for picture, truth in zip(pictures, truths)
        ]
    }
    labels = {'truth': truths}
    for title, checkpoint in runs.items():
        network = load_network(experiment, checkpoint)
        labels[title] = [predict(network, sample) for sample in samples]
    palette = experiment.sources.palette(experiment.num_steps - 1)
    for title, maps in labels.items():
        columns[title] = [paint(picture, ids, palette, 0.7) for picture, ids in zip(pictures, maps)]
    write_picture(path, grid(columns))


def load_network(experiment: Experiment, path: str) -> Any:
    """Return the network that a step has saved, in evaluation mode.

    Args:
        experiment: An experiment with the network's protocol and model; its method may differ.
        path: The ``final.pth``, which says how many outputs the network has.

    Raises:
        UserError: The file is missing or damaged, or does not fit.
    """
    checkpoint = StepCheckpoint(path)
    meta = checkpoint.meta
    check_protocol(meta, experiment.describe_protocol(meta['step']), checkpoint)
    model = dict(model_config(experiment, 0), outputs_per_step=checkpoint.outputs_per_step)
    network = MODELS.build(model)
    load_weights(network, checkpoint.state_dict, checkpoint)
    return network.eval()


@torch.no_grad()
def predict(network: Any, sample: dict[str, Any]) -> np.ndarray:
    [result] = network.test_step(
        dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
    )
    return result.pred_sem_seg.data[0].numpy()
