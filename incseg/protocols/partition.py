"""The division of images among the classes that they show: each image belongs to one class."""

import numpy as np
import numpy.typing as npt


def drawn_classes(presence: npt.NDArray[np.bool_], seed: int = 0) -> npt.NDArray[np.int64]:
    """Draw one of the classes that an image shows, for each image.

    All classes of an image are equally likely.  The draws depend on the order of the images, and
    not on the order of learning.  With seed 0 and VOC's augmented list they are those that the
    authors published.

    Args:
        presence: Bool ``(images, C + 1)``: whether the image shows the dataset id of the column.
            The background's column is ignored.
        seed: Seed of the draws, 0 to 2^32 - 1.

    Returns:
        int64 ``(images,)``: the dataset id of the class; 0 for an image without a class.

    Source: Kwak et al., "Towards Realistic Incremental Scenario in Class Incremental Semantic
    Segmentation", arXiv 2405.09858, section 4.
    """
    draw = np.random.RandomState(seed).randint  # the generator of the published lists
    drawn = np.zeros(len(presence), np.int64)
    for i, row in enumerate(presence[:, 1:]):
        classes = np.flatnonzero(row) + 1
        if len(classes):
            drawn[i] = classes[draw(0, len(classes))]
    return drawn
