import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from incseg.atomic_file import write_atomically


def write_image_labels(
    path: str | Path, image_ids: Sequence[str], labels: np.ndarray, classes: Sequence[str]
) -> None:
    """Write image-level labels as :class:`JSONImageLabels` reads them.

    Args:
        path: the file.
        image_ids: one for each row.
        labels: bool ``(images, C + 1)``, column = dataset id; the background
            is left out.
        classes: C + 1 names by dataset id, the background first.

    Raises:
        SaveError: the file cannot be written.
    """
    content = {image_id: [classes[i] for i in np.flatnonzero(row).tolist() if i]
               for image_id, row in zip(image_ids, labels, strict=True)}
    text = json.dumps(content, indent=0, ensure_ascii=False) + '\n'
    write_atomically(Path(path), text.encode())
