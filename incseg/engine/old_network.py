from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.datasets import SegDataset
from incseg.engine.cam_inference import resized
from incseg.engine.checkpoint import load_weights, read_experiment_checkpoint
from incseg.engine.experiment import Experiment
from incseg.engine.image_batches import equal_size_batches
from incseg.engine.network_config import network_config
from incseg.errors import InvalidInputError
from incseg.registry import MODELS


class OldNetwork:
    """The network of the step before, which finds old classes in the images of a step.

    Images are taken whole, at the config's ``image_scale``; probabilities are
    the softmax of the logits, enlarged to the image's size.

    Args:
        experiment: The experiment.
        step: The step, from 1.
        checkpoint: ``final.pth`` of the step before.

    Raises:
        MissingFileError, InvalidInputError: It is not there, damaged, or of
            another step or protocol.
    """

    def __init__(self, experiment: Experiment, step: int, checkpoint: str | Path) -> None:
        content, found = read_experiment_checkpoint(experiment, checkpoint)
        if found != step - 1:
            raise InvalidInputError(
                f'checkpoint {checkpoint} is of step {found}; SEAM of step {step} looks through '
                f'the network of step {step - 1}')
        self.scale = experiment.config['image_scale']
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.model = MODELS.build(network_config(experiment, found))
        load_weights(self.model, content['state_dict'], checkpoint)
        self.model.to(self.device).eval()
        #: uint8, the dataset id of each output
        self.ids = np.array([0, *experiment.protocol.seen(found)], np.uint8)

    def __call__(
        self, dataset: SegDataset, indices: Sequence[int]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Look at images, in any order.

        Yields:
            An image's index, the most likely class, uint8 ``(H, W)`` of dataset
            ids, and its probability, float32 ``(H, W)``.
        """
        for chosen, images in equal_size_batches(dataset, indices, batch_size=4):
            best, classes = self.probabilities(images).max(1)
            labels = self.ids[classes.cpu().numpy()]
            yield from zip(chosen, labels, best.cpu().numpy(), strict=True)

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Images uint8 ``(N, 3, H, W)``, BGR -> float32 ``(N, classes, H, W)``."""
        size = images.shape[2:]
        inputs = resized(images.to(self.device).float(), self.scale)
        inputs = self.model.data_preprocessor(dict(inputs=inputs))['inputs']
        logits = self.model.extract(inputs, auxiliary=False).logits['decode_head']
        return F.interpolate(
            logits.float(), size, mode='bilinear', align_corners=False).softmax(1)
