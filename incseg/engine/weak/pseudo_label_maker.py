from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from incseg.datasets import BackgroundRule, PseudoLabelFiles, ScoreFile
from incseg.engine.weak.cam_inference import CamInference, equal_size_batches
from incseg.errors import InvalidInputError
from incseg.models import NoRefinement


class PseudoLabelMaker:
    """From images and their image-level labels to files of pseudo-labels.

    Maps are computed in the calling thread; reading, refinement and writing go
    on in threads beside it.

    Args:
        inference: what makes the maps.
        class_ids: dataset ids of the model's outputs after the background.
        files: where the labels go.
        background: what a class has to beat; a refinement gets its map as the
            first.
        refinement: see :mod:`incseg.models.weak.refinement`.
        uncertain: pixels whose best class is closer than this to the background
            become 255.
        score_stride: stride of the scores that are kept; 0 for none.
        batch_size: images of one size that are computed together; None: 4 on a
            GPU, 1 on a CPU, whose caches more only fill.
        num_threads: images that are refined and written at a time.

    Raises:
        InvalidInputError: the background has no formula.
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
            raise InvalidInputError(
                "background.mode of a network's maps is 'score'; allowed are const and pow"
            )
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
        """The rule by which the stored scores give the labels."""
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
            dataset: a :class:`SegDataset`.
            indices: which of its images.
            labels: bool ``(len(dataset), C + 1)``: the classes that each image
                may show; others get no scores.
            on_progress: called with the number of images that got ready.

        Raises:
            UserError: an image cannot be read, or a file not written.
        """
        image_ids = dataset.image_ids
        shown = torch.from_numpy(labels[:, self.class_ids])
        batches = equal_size_batches(dataset, indices, self.batch_size, self.num_threads)
        with BoundedPool(self.num_threads, 2 * self.num_threads + self.batch_size) as pool:
            for chosen, images in batches:
                images = images.to(self.device, non_blocking=True)
                scores = self.inference(images, shown[chosen])
                for index, image, maps in zip(chosen, images, scores, strict=True):
                    ids = [i for i, there in zip(self.class_ids, shown[index]) if there]
                    pool.submit(self.finish, image_ids[index], image, ids, maps)
                on_progress(len(chosen))

    @torch.no_grad()
    def finish(self, image_id: str, image: Tensor, ids: Sequence[int], scores: Tensor) -> None:
        """Refine the scores of an image ``(k, H, W)`` and write its files."""
        if self.rule.mode == 'score' and len(ids):
            given = torch.cat([self.background.background(scores), scores])
            scores = self.refinement.refine(image, given)
            check_refined(scores, given, type(self.refinement).__name__)
            ids = [0, *ids]
        label = self.rule.label_map(ids, scores, self.uncertain)
        kept = None
        if self.score_stride:
            kept = ScoreFile.quantise(
                ids, scores.clamp(0, 1).float().cpu().numpy(), self.score_stride
            )
        self.files.write(image_id, label.cpu().numpy(), kept)


def check_refined(scores: Any, given: Tensor, name: str) -> None:
    """Refuse what a refinement should not return: its caller would make labels of it."""
    if not isinstance(scores, Tensor) or scores.shape != given.shape:
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise InvalidInputError(
            f'refine() of {name} returned {found}, expected a tensor {tuple(given.shape)}, as it '
            'was given: a map for the background and one for each class'
        )
    if given.isfinite().all() and not scores.isfinite().all():
        raise InvalidInputError(f'refine() of {name} returned scores that are NaN or infinite')


class BoundedPool:
    """Threads that work off tasks behind the caller's back, but not without end.

    Used in a ``with`` statement, which waits for the tasks that are left.  The
    first error of a task is raised in the caller, at the latest on leaving.

    Args:
        num_threads: how many tasks run at a time.
        most_waiting: :meth:`submit` waits while so many tasks are not done.
    """

    def __init__(self, num_threads: int, most_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(num_threads)
        self._tasks: deque[Future] = deque()
        self._most_waiting = most_waiting

    def submit(self, task: Callable[..., Any], *args: Any) -> None:
        """Have ``task(*args)`` done."""
        while len(self._tasks) >= self._most_waiting:
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
