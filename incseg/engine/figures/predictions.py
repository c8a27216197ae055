from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from incseg.engine.checkpoint import FilePath, StepCheckpoint, check_protocol, load_weights
from incseg.engine.figures.layout import grid
from incseg.engine.recipe.data import dataset_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_of_config, without_method
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS
from incseg.utils.outputs import check_outputs
from incseg.utils.pictures import check_picture_name, paint, write_picture


def draw_comparison(
    config: Any,
    runs: Mapping[str, str],
    images: Sequence[int],
    path: Path,
    force: bool = False,
    configs: Mapping[str, Any] | None = None,
) -> None:
    """Draw test images, their truth, and the predictions of several saved networks.

    Args:
        config: A complete, checked config, whose test images are shown; truth shows the classes
            of its last step.
        runs: For the title of each column, the ``final.pth`` of a step of the
            config's protocol, of any method.
        images: Indices of test images, one row each.
        path: The picture to write.
        force: Whether it may be there already.
        configs: The config that each network was trained with, by title: its size of images,
            transforms and network; by default ``config``.

    Raises:
        UserError: A checkpoint does not fit, an index is out of range, or the picture is
            there already.
    """
    check_picture_name(path)
    shown = Experiment(config)
    dataset = images_seen_by(shown, shown, images)
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
    for title, file in runs.items():
        experiment = Experiment((configs or {}).get(title, config))
        checkpoint = StepCheckpoint.of(file)
        check_protocol(checkpoint.meta, shown.describe_protocol(checkpoint.meta['step']), file)
        network = load_network(experiment, checkpoint)
        inputs = images_seen_by(shown, experiment, images)
        labels[title] = [predict(network, inputs[index]) for index in images]
    palette = shown.sources.palette(shown.num_steps - 1)
    for title, maps in labels.items():
        columns[title] = [paint(picture, ids, palette, 0.7) for picture, ids in zip(pictures, maps)]
    write_picture(path, grid(columns))


def images_seen_by(shown: Experiment, seen_by: Experiment, images: Sequence[int]) -> Any:
    """Return the test images of one experiment as the networks of another one see them.

    Args:
        shown: The experiment whose images are read.
        seen_by: The experiment whose transforms and size of images are used.
        images: Indices that have to be there.

    Raises:
        InvalidInputError: An index is out of range.
    """
    last = seen_by.num_steps - 1
    settings = dataset_config(shown, shown.num_steps - 1, 'test')
    settings['pipeline'] = dataset_config(seen_by, last, 'test')['pipeline']
    dataset = DATASETS.build(settings)
    for index in images:
        if not 0 <= index < len(dataset):
            raise InvalidInputError(
                f'--images {index} is out of range: there are {len(dataset)} test images'
            )
    return dataset


def load_network(experiment: Experiment, path: FilePath) -> Any:
    """Return the network that a step has saved, in evaluation mode.

    Args:
        experiment: An experiment with the network's protocol and model; its method may differ.
        path: The ``final.pth``, which says how many outputs the network has.

    Raises:
        UserError: The file is missing or damaged, or does not fit.
    """
    checkpoint = StepCheckpoint.of(path)
    meta = checkpoint.meta
    check_protocol(meta, experiment.describe_protocol(meta['step']), checkpoint)
    outputs = checkpoint.outputs_per_step
    network = MODELS.build(without_method(model_of_config(experiment.raw_config, 0, outputs)))
    load_weights(network, checkpoint.state_dict, checkpoint)
    return network.eval()


@torch.no_grad()
def predict(network: Any, sample: dict[str, Any]) -> np.ndarray:
    [result] = network.test_step(
        dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
    )
    return result.pred_sem_seg.data[0].numpy()
