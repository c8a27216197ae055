"""The network of the previous step, which finds old classes in the images of a step."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.datasets import SegDataset
from incseg.engine.checkpoint import FilePath, load_weights, read_experiment_checkpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import network_config
from incseg.engine.weak.image_batches import equal_size_batches, resized
from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from incseg.utils.precision import gpu_arithmetic
from incseg.utils.rules import expected


class OldNetwork:
    """The network of the previous step, which finds old classes in the images of a step.

    It reads whole images at the config's ``image_scale``.  Its logits are
    enlarged to the image's size.  Probabilities are their softmax; classes are
    what the network's head decides on.

    Args:
        experiment: The steps, classes and method of a config.
        step: Number of the step, from 1.
        checkpoint: ``final.pth`` of the previous step.

    Attributes:
        ids: uint8 ``(outputs,)``, the dataset id of each output of the network.

    Raises:
        MissingFileError: The checkpoint does not exist.
        InvalidInputError: It is damaged, or of another step or protocol; or the
            network has no output of the background.
    """

    def __init__(self, experiment: Experiment, step: int, checkpoint: FilePath) -> None:
        content, old_step = read_experiment_checkpoint(experiment, checkpoint)
        if old_step != step - 1:
            raise InvalidInputError(
                f'checkpoint {checkpoint} is of step {old_step}; SEAM of step {step} needs '
                f'the network of step {step - 1}'
            )
        self.scale = experiment.config['image_scale']
        self.tf32, self.deterministic = experiment.tf32, experiment.deterministic
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.model = MODELS.build(network_config(experiment, old_step))
        if not self.model.heads['decode_head'].has_background:
            head = experiment.config['model']['decode_head']['type']
            raise expected('model.decode_head.type', head, 'a head with a background output')
        load_weights(self.model, content['state_dict'], checkpoint)
        self.model.to(self.device).eval()
        self.ids = np.array([0, *experiment.protocol.seen(old_step)], np.uint8)

    def __call__(
        self, dataset: SegDataset, indices: Sequence[int]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Find the most likely class of each pixel; the order of the images may change.

        Args:
            dataset: The data set.
            indices: Indices of its images.

        Yields:
            An image's index, the most likely class, uint8 ``(H, W)`` of dataset
            ids, and its probability, float32 ``(H, W)``.
        """
        for batch, images in equal_size_batches(dataset, indices, batch_size=4):
            with gpu_arithmetic(self.tf32, deterministic=self.deterministic):
                best, classes = self.most_likely(images)
            labels = self.ids[classes.cpu().numpy()]
            yield from zip(batch, labels, best.cpu().numpy(), strict=True)

    @torch.no_grad()
    def most_likely(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the class of each pixel and its probability.

        Args:
            images: uint8 ``(N, 3, H, W)``, BGR, on any device.

        Returns:
            Probabilities, float32 ``(N, H, W)``, and indices of outputs, int64 ``(N, H, W)``.
        """
        size = images.shape[2:]
        inputs = resized(images.to(self.device).float(), self.scale)
        inputs = self.model.data_preprocessor(dict(inputs=inputs))['inputs']
        logits = self.model.extract(inputs, auxiliary=False).logits['decode_head']
        logits = F.interpolate(logits.float(), size, mode='bilinear', align_corners=False)
        decide = self.model.heads['decode_head'].own_decision
        if decide is None:
            best, classes = logits.softmax(1).max(1)
            return best, classes
        classes = decide(logits).long()
        return logits.softmax(1).gather(1, classes.unsqueeze(1)).squeeze(1), classes
