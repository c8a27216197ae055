"""Predict pictures, folders of them, arrays and videos with a trained network, into files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from incseg.apis.image_files import Image
from incseg.apis.inference import init_model, whole_image_pipeline
from incseg.apis.prediction.files import KINDS, PredictionFiles
from incseg.apis.prediction.inputs import Source, list_sources
from incseg.engine.checkpoint import FilePath, StepCheckpoint
from incseg.engine.recipe.data import picture_rule
from incseg.errors import InvalidInputError
from incseg.models.prediction import PredictionSettings
from incseg.models.prediction.predict import PicturePrediction
from incseg.utils.outputs import check_outputs
from incseg.utils.precision import gpu_arithmetic
from incseg.utils.progress import Progress
from incseg.utils.rules import SHARE, any_of, checked, expected, whole


def predict(
    model: FilePath,
    inputs: Image | Sequence[Image],
    out: str | Path = 'predictions',
    write: Sequence[str] = ('labels', 'overlays'),
    *,
    config: Any = None,
    every: int = 1,
    opacity: float = 0.5,
    test_cfg: Mapping[str, Any] | None = None,
    device: str | None = None,
    imports: Iterable[str] = (),
    force: bool = False,
    fast: bool = True,
    tell: Callable[[str], None] = print,
) -> list[str]:
    """Predict pictures and videos, and write the results below a folder.

    Args:
        model: A step's ``final.pth``.
        inputs: Files of pictures and videos, folders of them, BGR uint8 arrays ``(H, W, 3)``.
        out: The folder; :class:`PredictionFiles` says what is written there.
        write: ``'labels'``, ``'overlays'``, ``'probabilities'``, ``'coco'``, one or several.
        config: The config of the training, for a checkpoint of incseg 0.1, which holds none.
        every: One frame of a video out of so many is taken.
        opacity: Weight of the classes' colours in painted pictures, 0 to 1.
        test_cfg: Keys of ``test_cfg`` that replace those of the training, as
            ``dict(mode='slide', crop_size=1024)``.
        device: ``'cuda'`` if there is one, else ``'cpu'``, by default.
        imports: Modules of the parts that are not the library's, as ``['my_heads']``.
        force: Whether files that are there already may be written over.
        fast: Whether to apply :func:`prepare_for_inference`.
        tell: Called with each line for the user.

    Returns:
        A line for each picture or video that could not be read, wholly or in part; the others
        are predicted.

    Raises:
        UserError: The model, a file or an option is wrong, or a result is there already: nothing
            was written.
    """
    unknown = [kind for kind in write if kind not in KINDS]
    if unknown or not write:
        raise expected('--write', unknown[0] if unknown else [*write], any_of(KINDS))
    checked('--every', every, whole(1))
    checked('--opacity', opacity, SHARE)
    sources, notes = list_sources(inputs)
    checkpoint = StepCheckpoint.of(model)
    stored = (checkpoint.config or {}).get('test_cfg') or {}
    network = init_model(
        checkpoint if config is None else config,
        None if config is None else checkpoint,
        device=device,
        fast=fast,
        imports=imports,
        test_cfg={**stored, **test_cfg} if test_cfg else None,
    )
    classes = network.dataset_meta['classes']
    ids = dataset_ids(checkpoint.meta, len(classes))
    files = PredictionFiles(
        Path(out), write, classes, network.dataset_meta['palette'], ids, opacity
    )
    targets = [path for each in sources for path in files.targets(each.name, each.is_video)]
    read = [each.content for each in sources if not isinstance(each.content, np.ndarray)]
    check_outputs([*files.shared(), *targets], [*read, checkpoint.path], force=force)
    checkpoint.release()
    names = ', '.join(classes[1:])
    tell(f'model    {checkpoint}: {len(classes) - 1} classes: {names}')
    rule, predictor = picture_rule(network.config), Predictor(network, 'probabilities' in write)
    total = sum(source.count(every) for source in sources)
    progress = Progress(total, 'predict', enabled=total > 1)
    done = 0
    for source in sources:
        before = done
        for name, file, pixels in source.pictures(every, rule):
            files.write(name, file, pixels, *predictor(pixels))
            progress.update(1)
            done += 1
        if source.is_video:
            tell(f'video    {source.content}: {done - before} frames predicted{_each(every)}')
    progress.close()
    if done == 0:
        raise InvalidInputError(_first_skipped(sources))
    files.close()
    for note in notes:
        tell(f'skipped  {note}')
    tell(f'saved    {done} picture{"s" * (done > 1)} in {out}: {", ".join(write)}, classes.json')
    return [line for source in sources for line in source.skipped]


def _each(every: int) -> str:
    return '' if every == 1 else f', one of {every}'


def _first_skipped(sources: Sequence[Source]) -> str:
    lines = [line for source in sources for line in source.skipped]
    return lines[0] if len(lines) == 1 else f'no picture could be read, first: {lines[0]}'


def dataset_ids(meta: Mapping[str, Any], count: int) -> list[int]:
    """Return the dataset id of each train id.

    Args:
        meta: Of a checkpoint; ``protocol.steps`` lists the dataset ids of each step.
        count: Number of train ids, the background included.

    Returns:
        The ids, 0 for the background first; the train ids themselves for a network whose
        protocol has no dataset ids of its classes.
    """
    steps = meta['protocol'].get('steps', [])
    seen = [i for step in steps[: meta['step'] + 1] for i in step]
    numbered = all(isinstance(i, int) and i > 0 for i in seen) and len({*seen}) == len(seen)
    return [0, *seen] if numbered and len(seen) == count - 1 else list(range(count))


class Predictor:
    """Predict one picture after the other with a network, by its settings of a test.

    Args:
        model: From :func:`init_model`.
        probabilities: Whether the probabilities are wanted too.
    """

    def __init__(self, model: Any, probabilities: bool = False):
        self.model, self.probabilities = model, probabilities
        self.transform = whole_image_pipeline(model.config)
        self.settings = model.prediction or PredictionSettings()
        self.tf32 = bool((model.config.get('schedule') or {}).get('tf32', True))

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Predict a picture.

        Args:
            pixels: BGR uint8 ``(H, W, 3)``.

        Returns:
            Train ids ``(H, W)``; probabilities, float16 ``(C, H, W)``, or None.
        """
        rule = picture_rule(self.model.config)
        packed = self.transform(dict(img=pixels, picture_rule=rule))
        size = tuple(packed['data_samples'].get('ori_shape', pixels.shape[:2]))
        head = self.model.decode_head
        channels = self.model.num_classes - (not head.has_background)
        filled = torch.empty(channels, *size, dtype=torch.float16) if self.probabilities else None
        with torch.no_grad(), gpu_arithmetic(self.tf32):
            prediction = PicturePrediction(self.model, packed['inputs'], size, self.settings)
            labels = prediction.labels(filled).cpu().numpy()
        return labels, None if filled is None else filled.numpy()
