from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope, init_default_scope

from incseg.apis.config import load_config
from incseg.apis.prepare import prepare_for_inference
from incseg.engine.checkpoint import load_weights, read_experiment_checkpoint
from incseg.engine.data_config import pipeline, without_labels
from incseg.engine.experiment import Experiment
from incseg.engine.network_config import network_config
from incseg.engine.resolve import resolve
from incseg.models import EncoderDecoder
from incseg.registry import MODELS, SCOPE, TRANSFORMS
from incseg.structures import SegDataSample

Image = str | Path | np.ndarray


def init_model(
    config: Any, checkpoint: str | Path | None = None, device: str | None = None,
    fast: bool = False,
) -> EncoderDecoder:
    """Build a network for inference.

    Args:
        config: A config's path, or a loaded config.
        checkpoint: A step's ``final.pth``; the step comes from it.  Without
            one, the untrained network of the last step.
        device: ``'cuda'`` if there is one, else ``'cpu'``, by default.
        fast: Whether the network is made ready by :func:`prepare_for_inference`;
            it can then predict and nothing else, with low precision where the
            device has it.  Off by default: what is evaluated or trained on
            must be the network itself.

    Returns:
        The network in eval mode; ``model.dataset_meta`` holds ``classes`` and
        ``palette`` in the order of its outputs, ``model.config`` the config.
    """
    config = load_config(config) if isinstance(config, (str, Path)) else config
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    experiment = Experiment(config)
    k, loaded = experiment.num_steps - 1, None
    if checkpoint is not None:
        loaded, k = read_experiment_checkpoint(experiment, checkpoint)
    model = MODELS.build(network_config(experiment, k))
    if loaded is not None:
        load_weights(model, loaded['state_dict'], str(checkpoint))
    classes = experiment.classes_at(k)
    model.dataset_meta = dict(classes=classes, palette=experiment.palette[:len(classes)])
    model.config = config
    model = model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()
    return prepare_for_inference(model) if fast else model


def inference_model(
    model: EncoderDecoder, images: Image | Sequence[Image]
) -> SegDataSample | list[SegDataSample]:
    """Segment one image or several.

    Args:
        model: From :func:`init_model`.
        images: A path or a BGR uint8 array ``(H, W, 3)``, or a sequence of them.

    Returns:
        A sample (or a list of them) with ``pred_sem_seg.data`` ``(1, H, W)``:
        train ids, which index ``model.dataset_meta['classes']``.
    """
    single = isinstance(images, (str, Path, np.ndarray))
    sequence: Sequence[Image] = [images] if single else images  # type: ignore
    transform = whole_image_pipeline(model.config)
    samples = []
    for image in sequence:
        data = dict(img=image) if isinstance(image, np.ndarray) else dict(img_path=str(image))
        packed = transform(data)
        with torch.no_grad():
            samples += model.test_step(
                dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))
    return samples[0] if single else samples


def whole_image_pipeline(config: Any) -> Compose:
    """The config's transforms for testing whole images, without labels."""
    transforms = resolve(config['data']['test_pipelines'].get('whole', {}), config)
    steps = pipeline(transforms, config['image_scale'], labels_follow=False)
    return Compose([TRANSFORMS.build(step) for step in without_labels(steps)])
