"""The images that are held out of training for the test, chosen by their content."""

from collections.abc import Sequence

import numpy as np

#: no image is held out of fewer images than that
FEWEST = 25
#: so many images are held out at least, and at most
LEAST, MOST = 5, 100


def held_out(digests: Sequence[bytes], share: float) -> np.ndarray:
    """Choose the images that are held out.

    The digest of an image is a number from 0 to 1.  Held out are the images whose number is below
    ``share``; but at least the 5 lowest numbers, and no more than the 100 lowest.  So

    - the choice depends on the content of the images alone, not on names or on their order;
    - equal images are on one side;
    - an image that is learned from is never held out later, when the folder has grown beyond
      25 images; an image that is held out may be learned from when more than 100 are.

    Args:
        digests: SHA-256 of the content of each image.
        share: Share of the images, above 0, below 1.

    Returns:
        Bool ``(images,)``; all False for fewer than 25 images.
    """
    if len(digests) < FEWEST:
        return np.zeros(len(digests), np.bool_)
    places = np.array([int.from_bytes(each[:7], 'big') / (1 << 56) for each in digests])
    ordered = np.unique(places)
    low, high = ordered[min(LEAST, len(ordered)) - 1], ordered[min(MOST, len(ordered)) - 1]
    inside: np.ndarray = (places < share) | (places <= low)
    return inside & (places <= high)
