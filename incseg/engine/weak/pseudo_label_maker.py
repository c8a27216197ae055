"""The files of pseudo-labels of images, made by a network of class activation maps."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from incseg.datasets import BackgroundRule, PseudoLabelFiles, ScoreFile
from incseg.engine.weak.cam_inference import CamInference
from incseg.engine.weak.image_batches import equal_size_batches
from incseg.errors import InvalidInputError
from incseg.models import NoRefinement
from incseg.utils.rules import expected


class PseudoLabelMaker:
    """Makes pseudo-labels of images from their image-level labels, and writes them.

    Maps are computed in the calling thread; other threads read, refine and write
    at the same time.

    Args:
        inference: Computes the scores.
        class_ids: Dataset ids of the model's outputs after the background.
        files: Receives label maps and scores.
        background: The rule for the score that a class has to exceed.  With a refinement,
            this score is the first map that the refinement gets.
        refinement: A part with ``refine(image, scores)``, see
            :mod:`incseg.models.weak.refinement`; None for none.
        uncertain: Pixels whose best class is closer than this to the background
            become 255; None for no such pixels.
        score_stride: Stride of the stored scores; 0: no scores are stored.
        batch_size: Images of one size that are computed together; None: 4 on a
            GPU, 1 on a CPU, where larger batches only fill the caches.
        num_threads: Number of images that are refined and written at the same time.

    Raises:
        InvalidInputError: The background has no formula.
    """

    def __init__(
        self,
        inference: CamInference,
        class_ids: Sequence[int],
        files: PseudoLabelFiles,
        background: BackgroundRule,
        refinement: Any = None,
        uncertain: float | None = None,
        score_stride: int = 1,
        batch_size: int | None = None,
        num_threads: int = 2,
    ) -> None:
        if background.mode == 'score':
            raise expected("background.mode of a network's maps", 'score', "'const' or 'pow'")
        self.inference = inference
        self.class_ids = list(class_ids)
        self.files = files
        self.background = background
        self.refinement = NoRefinement() if refinement is None else refinement
        self.uncertain = uncertain
        self.score_stride = score_stride
        self.device = next(inference.model.parameters()).device
        self.batch_size = batch_size or (4 if self.device.type == 'cuda' else 1)
        self.num_threads = num_threads

    @property
    def rule(self) -> BackgroundRule:
        """The rule for the background by which labels are made from the stored scores."""
        refined = not isinstance(self.refinement, NoRefinement)
        return BackgroundRule('score') if refined else self.background

    def make(
        self,
        dataset: Any,
        indices: Sequence[int],
        labels: np.ndarray,
        on_progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Make the files of some images.

        Args:
            dataset: A :class:`SegDataset`.
            indices: Indices of its images.
            labels: bool ``(len(dataset), C + 1)``: the classes that each image
                may show, by dataset id; other classes get no scores.
            on_progress: Called with the number of images of each computed batch.

        Raises:
            UserError: An image cannot be read, or a file cannot be written.
        """
        image_ids = dataset.image_ids
        presence = torch.from_numpy(labels[:, self.class_ids])
        batches = equal_size_batches(dataset, indices, self.batch_size, self.num_threads)
        with BoundedPool(self.num_threads, 2 * self.num_threads + self.batch_size) as pool:
            for batch, images in batches:
                images = images.to(self.device, non_blocking=True)
                scores = self.inference(images, presence[batch])
                for index, image, maps in zip(batch, images, scores, strict=True):
                    ids = [i for i, there in zip(self.class_ids, presence[index]) if there]
                    pool.submit(self.finish, image_ids[index], image, ids, maps)
                on_progress(len(batch))

    @torch.no_grad()
    def finish(self, image_id: str, image: Tensor, ids: Sequence[int], scores: Tensor) -> None:
        """Refine the scores of an image and write its files.

        Args:
            image_id: The image.
            image: uint8 ``(3, H, W)``, BGR.
            ids: Dataset ids of the ``k`` classes.
            scores: float32 ``(k, H, W)`` of 0 to 1.

        Raises:
            InvalidInputError: The refinement returns something else than scores.
            SaveError: A file cannot be written.
        """
        if self.rule.mode == 'score' and len(ids):
            unrefined = torch.cat([self.background.background(scores), scores])
            scores = self.refinement.refine(image, unrefined)
            check_refined(scores, unrefined, type(self.refinement).__name__)
            ids = [0, *ids]
        label = self.rule.label_map(ids, scores, self.uncertain)
        stored = None
        if self.score_stride:
            stored = ScoreFile.quantise(
                ids, scores.clamp(0, 1).float().cpu().numpy(), self.score_stride
            )
        self.files.write(image_id, label.cpu().numpy(), stored)


def check_refined(scores: Any, unrefined: Tensor, name: str) -> None:
    """Refuse the result of a refinement if no labels can be made from it.

    Args:
        scores: The result.
        unrefined: The scores that were refined, ``(1 + k, H, W)``.
        name: Name of the refinement, for errors.

    Raises:
        InvalidInputError: It is no tensor of the shape of ``unrefined``, or not finite.
    """
    if not isinstance(scores, Tensor) or scores.shape != unrefined.shape:
        result = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise expected(
            f'result of refine() of {name}',
            result,
            f'a tensor of shape {tuple(unrefined.shape)} like its argument: a map for the '
            'background and one for each class',
        )
    if unrefined.isfinite().all() and not scores.isfinite().all():
        raise InvalidInputError(f'refine() of {name} returned scores that are NaN or infinite')


class BoundedPool:
    """Threads that run tasks in the background, with a limit on unfinished tasks.

    Leaving the ``with`` statement waits for the remaining tasks.  The first error
    of a task is raised in the caller, at the latest when it leaves.

    Args:
        num_threads: Number of tasks that run at the same time.
        max_unfinished: :meth:`submit` waits while so many tasks are not finished.
    """

    def __init__(self, num_threads: int, max_unfinished: int) -> None:
        self._pool = ThreadPoolExecutor(num_threads)
        self._tasks: deque[Future] = deque()
        self._max_unfinished = max_unfinished

    def submit(self, task: Callable[..., Any], *args: Any) -> None:
        """Run ``task(*args)`` in a thread, as soon as there are few enough unfinished tasks.

        An error of an earlier task may be raised here.
        """
        while len(self._tasks) >= self._max_unfinished:
            self._tasks.popleft().result()
        self._tasks.append(self._pool.submit(task, *args))

    def __enter__(self) -> 'BoundedPool':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            while self._tasks and kind is None:
                self._tasks.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
