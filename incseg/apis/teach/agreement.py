"""How much of the old classes a taught model still sees, where nobody knows their labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from incseg.apis.inference import inference_model, init_model
from incseg.constants import VOID
from incseg.evaluation.confusion import confusion_matrix
from incseg.registry import DATASETS


def agreement(
    before: str | Path,
    after: str | Path,
    test: Mapping[str, Any],
    classes: Sequence[str],
    new: int,
    device: str | None = None,
) -> dict[str, float | None]:
    """Compare the old classes that two models see on the test images of a step.

    It is an agreement of predictions, no score: nobody says who is right.  Pixels that the masks
    give to a new class are left out.

    Args:
        before, after: The ``final.pth`` of the two models.
        test: Config of the test images.
        classes: Names of the old classes, without background.
        new: How many classes are new; their ids in the masks are 1 to that number.
        device: As for :func:`init_model`.

    Returns:
        For each old class the IoU of both predictions in percent; None for one that neither sees.
    """
    dataset = DATASETS.build(dict(test))
    dataset.full_init()
    models = [init_model(str(path), device=device) for path in (before, after)]
    number = len(classes) + 1
    counts = np.zeros((number, number), np.int64)
    for entry in dataset.entries():
        labels = torch.from_numpy(np.asarray(dataset.label_reader(entry['seg_map_path'])))
        [[first], [last]] = [inference_model(model, [entry['img_path']]) for model in models]
        seen = [each.pred_sem_seg.data[0].cpu() for each in (first, last)]
        old = (labels == 0) | ((labels > new) & (labels != VOID))
        theirs, ours = (torch.where(each < number, each, 0).long()[old] for each in seen)
        counts += confusion_matrix(ours, theirs, number).numpy()
    shared = np.diagonal(counts)
    union = counts.sum(0) + counts.sum(1) - shared
    return {
        name: 100 * float(shared[i] / union[i]) if union[i] else None
        for i, name in enumerate(classes, 1)
    }
