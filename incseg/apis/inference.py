import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope, init_default_scope

from incseg.apis.config.loading import load_config
from incseg.apis.config.parts import refused_as
from incseg.apis.config.stored import import_modules, read_stored
from incseg.apis.config.trained import OTHER, as_config, differences, load_trained_config
from incseg.apis.image_files import Image, list_images, painted_files
from incseg.apis.prepare import prepare_for_inference
from incseg.engine.checkpoint import (
    FilePath,
    StepCheckpoint,
    load_weights,
    read_experiment_checkpoint,
)
from incseg.engine.recipe.data import picture_rule, pipeline, without_labels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.network import model_of_config, network_config, without_method
from incseg.models import EncoderDecoder
from incseg.models.prediction import PredictionSettings
from incseg.registry import MODELS, SCOPE, TRANSFORMS
from incseg.structures import SegDataSample
from incseg.utils.outputs import check_outputs
from incseg.utils.pictures import paint, read_picture, write_picture
from incseg.utils.precision import gpu_arithmetic
from incseg.utils.rules import expected
from incseg.utils.tensor_files import check_kind


def init_model(
    config: Any,
    checkpoint: FilePath | None = None,
    device: str | None = None,
    fast: bool = False,
    imports: Iterable[str] = (),
    test_cfg: Mapping[str, Any] | None = None,
) -> EncoderDecoder:
    """Build a network for inference.

    A step's ``final.pth`` is a model by itself: ``init_model('final.pth')`` reads its classes
    and its config, opens no other file and imports nothing.

    Args:
        config: A checkpoint, if it is the only file; else a config's path, or a loaded config.
            Of the config that a training was started from, the training's settings hold where
            they differ; of another one, and of a loaded config, its own do.  A warning says
            where settings differ that a prediction depends on.
        checkpoint: The ``final.pth`` of a step, which decides the step.  A config without
            one gives an untrained network with the classes of the last step.
        device: ``'cuda'`` if there is one, else ``'cpu'``, by default.
        fast: Whether to apply :func:`prepare_for_inference`.  The network can
            then only predict, in bfloat16 where the device has it.  It is off
            by default because evaluation and training need the network itself.
        imports: Modules of the parts that are not the library's, as ``['my_heads']``.
        test_cfg: How pictures are predicted, as ``dict(mode='slide', crop_size=1024)``, see
            ``docs/large_pictures.md``; None for the config's ``test_cfg``.

    Returns:
        The network in eval mode; ``model.dataset_meta`` has ``classes`` and
        ``palette`` in the order of its outputs, ``model.config`` is the config.

    Raises:
        UserError: The config is wrong, or the checkpoint is missing, damaged or
            of another protocol, or needs a module that is not imported.
    """
    check_is_model(config)
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    if checkpoint is None and is_checkpoint(config):
        model = model_of_checkpoint(StepCheckpoint.of(config), imports)
    else:
        import_modules(imports)
        model = model_of_config_file(config, checkpoint)
    tested = model.config.get('test_cfg') if test_cfg is None else test_cfg
    model.prediction = PredictionSettings.of(tested)
    model = model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()
    return prepare_for_inference(model) if fast else model


def check_is_model(config: Any) -> None:
    """Refuse a model that is neither a file nor a loaded config.

    Raises:
        InvalidInputError: Naming the value.
    """
    if not isinstance(config, (str, Path, Mapping, Config, StepCheckpoint)):
        raise expected('the model', config, 'the path of a final.pth or of a config')


def is_checkpoint(file: Any) -> bool:
    """Say whether an argument is a :class:`StepCheckpoint`, or any file but ``*.py``."""
    if isinstance(file, StepCheckpoint):
        return True
    return isinstance(file, (str, Path)) and Path(file).suffix != '.py' and not Path(file).is_dir()


def model_of_checkpoint(checkpoint: StepCheckpoint, imports: Iterable[str] = ()) -> EncoderDecoder:
    """Build a step's network from its checkpoint alone.

    Args:
        checkpoint: A step's ``final.pth``; it holds its config.
        imports: Modules of the parts that are not the library's, as ``['my_heads']``.

    Returns:
        The network with its weights, ``dataset_meta`` and ``config``.
    """
    import_modules(imports)
    meta = checkpoint.meta
    check_kind(dict(meta=meta), checkpoint, ('step',))
    config = as_config(read_stored(checkpoint), checkpoint)
    outputs = checkpoint.outputs_per_step
    with refused_as(f'the network of {checkpoint}'):
        network = without_method(model_of_config(config, meta['step'], outputs))
        model: EncoderDecoder = MODELS.build(network)
        whole_image_pipeline(config)
    load_weights(model, checkpoint.state_dict, checkpoint)
    model.dataset_meta = dict(classes=list(meta['classes']), palette=list(meta['palette']))
    model.config = config
    return model


def model_of_config_file(config: Any, file: FilePath | None) -> EncoderDecoder:
    """Build the network of a config, with the weights of a checkpoint if there is one.

    Args:
        config: A config's path, or a loaded config.
        file: A step's ``final.pth``; None for an untrained network of the last step.

    Returns:
        The network with ``dataset_meta`` and ``config``.
    """
    checkpoint = None if file is None else StepCheckpoint.of(file)
    notes: list[str] = []
    if isinstance(config, (str, Path)):
        if checkpoint is None:
            config = load_config(config)
        else:
            config, notes = load_trained_config(config, {}, checkpoint)
    elif checkpoint is not None and (stored := read_stored(checkpoint)) is not None:
        notes = differences(config, stored)
    experiment = Experiment(config)
    k = experiment.num_steps - 1
    if checkpoint is not None:
        loaded, k = read_experiment_checkpoint(experiment, checkpoint)
    for note in notes:
        advice = '; the checkpoint alone brings those of its training' * note.startswith(OTHER)
        warnings.warn(f'{checkpoint}: settings {note}{advice}', stacklevel=3)
    model: EncoderDecoder = MODELS.build(network_config(experiment, k))
    if checkpoint is not None:
        load_weights(model, loaded['state_dict'], checkpoint)
    classes = experiment.classes_at(k)
    model.dataset_meta = dict(classes=classes, palette=experiment.sources.palette(k))
    model.config = config
    return model


def inference_model(
    model: EncoderDecoder, images: Image | Sequence[Image]
) -> SegDataSample | list[SegDataSample]:
    """Segment one image or several.

    Args:
        model: From :func:`init_model`.
        images: A path or a BGR uint8 array ``(H, W, 3)``, or a sequence of them.  Files are
            read as the config's test set reads them (``exif``, ``value_range``).

    Returns:
        A sample (or a list of them) with ``pred_sem_seg.data`` ``(1, H, W)``:
        train ids, which index ``model.dataset_meta['classes']``.
    """
    single = isinstance(images, (str, Path, np.ndarray))
    sequence: Sequence[Image] = [images] if single else images  # type: ignore
    transform = whole_image_pipeline(model.config)
    samples = []
    schedule = model.config.get('schedule') or {}
    tf32 = bool(schedule.get('tf32', True))
    for image in sequence:
        data = dict(img=image) if isinstance(image, np.ndarray) else dict(img_path=str(image))
        packed = transform(dict(data, picture_rule=picture_rule(model.config)))
        with torch.no_grad(), gpu_arithmetic(tf32):
            samples += model.test_step(
                dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
            )
    return samples[0] if single else samples


def whole_image_pipeline(config: Any) -> Compose:
    """Build the transforms for whole test images without labels.

    Args:
        config: A complete config; ``data.test_pipelines.whole`` names the transforms.

    Returns:
        A function of ``dict(img=array)`` or ``dict(img_path=path)`` that packs the image.
    """
    transforms = resolve(config['data']['test_pipelines'].get('whole', {}), config)
    steps = pipeline(transforms, config['image_scale'], labels_follow=False)
    return Compose([TRANSFORMS.build(step) for step in without_labels(steps)])


class Inferencer:
    """Segment images, folders of images or arrays, and paint the result.

    Args:
        config: A step's ``final.pth``, which is a model by itself; or a config (a path or a
            loaded one) if ``checkpoint`` is given too.
        checkpoint: A step's ``final.pth``; None if ``config`` is one.
        device: ``'cuda'`` if there is one, else ``'cpu'``, by default.
        fast: Whether to apply :func:`prepare_for_inference`.  The predictions
            then differ at a few pixels on class borders, if at all.
        imports: Modules of the parts that are not the library's, as ``['my_heads']``.
        test_cfg: Windows, flips and scales, see :func:`init_model`.

    Example:
        >>> segment = Inferencer('work_dirs/…/final.pth')
        >>> sample = segment('street.jpg', out_dir='painted')[0]
    """

    def __init__(
        self,
        config: Any,
        checkpoint: FilePath | None = None,
        device: str | None = None,
        fast: bool = True,
        imports: Iterable[str] = (),
        test_cfg: Mapping[str, Any] | None = None,
    ):
        self.model = init_model(config, checkpoint, device, fast, imports, test_cfg)
        self.classes: list[str] = self.model.dataset_meta['classes']
        self.palette: list[list[int]] = self.model.dataset_meta['palette']

    def __call__(
        self,
        images: Image | Sequence[Image],
        out_dir: str | Path | None = None,
        opacity: float = 0.5,
        force: bool = False,
    ) -> list[SegDataSample]:
        """Segment images; with ``out_dir``, write each image painted.

        Its file is ``<name>.png``, or ``<name>_<number>.png`` where the name is taken.

        Args:
            images: A path, a folder, a BGR uint8 array ``(H, W, 3)``, or a
                sequence of paths and arrays.
            out_dir: The folder of painted images; None writes none.
            opacity: Weight of the classes' colours in painted images, 0 to 1.
            force: Whether painted images that are there already may be written over.

        Returns:
            A sample for each image, with train ids in ``pred_sem_seg.data`` ``(1, H, W)``.

        Raises:
            UserError: An image is missing or damaged; or a painted image is one of the
                images, or there already: nothing was written.
        """
        results = []
        listed = list_images(images)
        targets = painted_files(listed, Path(out_dir or '.'))
        if out_dir is not None:
            files = [image for image in listed if not isinstance(image, np.ndarray)]
            check_outputs(targets, files, force=force)
        for image, target in zip(listed, targets, strict=True):
            sample = inference_model(self.model, image)
            assert isinstance(sample, SegDataSample)
            results.append(sample)
            if out_dir is not None:
                self._write(target, image, sample, opacity)
        return results

    def _write(self, path: Path, image: Image, sample: SegDataSample, opacity: float) -> None:
        rule = picture_rule(self.model.config)
        pixels = image if isinstance(image, np.ndarray) else read_picture(image, rule)
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        write_picture(path, paint(pixels, labels, self.palette, opacity))
