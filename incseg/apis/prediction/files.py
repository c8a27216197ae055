"""The files of predictions: label maps, painted pictures, probabilities, COCO's masks."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from incseg.constants import VOID
from incseg.datasets.label_maps.label_file import write_label_file
from incseg.datasets.pseudo_labels.coco_export import encode
from incseg.engine.figures.layout import with_legend
from incseg.errors import InvalidInputError
from incseg.utils.files import write_atomically
from incseg.utils.pictures import paint, write_picture

#: kinds of files -> ending; COCO's masks of all pictures are one file
KINDS = {'labels': '.png', 'overlays': '.png', 'probabilities': '.npz', 'coco': '.json'}


class PredictionFiles:
    """Write the predictions of pictures below a folder.

    ``labels/<name>.png`` are palette PNGs of dataset ids, ``overlays/<name>.png`` the pictures
    with the classes' colours and a colour key, ``probabilities/<name>.npz`` hold
    ``probabilities``, float16 ``(C, H, W)``, with the ``ids`` and ``classes`` of the channels,
    ``coco.json`` has a run-length mask for each class of a picture.  ``classes.json`` says the
    name and colour of each dataset id.

    Args:
        folder: The folder.
        kinds: Names of :data:`KINDS`.
        classes: Names by train id, the background first.
        palette: Colours ``[r, g, b]`` by train id.
        ids: Dataset ids by train id, 0 first.
        opacity: Weight of the colours in painted pictures, 0 to 1.

    Raises:
        InvalidInputError: Label maps are wanted of ids that 8 bits cannot hold.
    """

    def __init__(
        self,
        folder: Path,
        kinds: Sequence[str],
        classes: Sequence[str],
        palette: Sequence[Sequence[int]],
        ids: Sequence[int],
        opacity: float = 0.5,
    ):
        self.folder, self.kinds, self.opacity = folder, kinds, opacity
        self.classes, self.palette, self.ids = classes, palette, ids
        if max(ids) >= VOID and 'labels' in kinds:
            raise InvalidInputError(
                f'labels of the dataset id {max(ids)} do not fit into 8 bits, expected at most '
                f'{VOID - 1}; probabilities and coco hold them'
            )
        colours = [[0, 0, 0] for _ in range(256)]
        for i, colour in zip(ids, palette):
            if i < 256:
                colours[i] = list(colour)
        self._colours = colours
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def targets(self, name: str, video: bool = False) -> list[Path]:
        """Return the files that are written for a picture, or the folders for a video.

        Args:
            name: The name of its outputs.
            video: Whether it is a video, whose frames are files of a folder.
        """
        kinds = [kind for kind in self.kinds if kind != 'coco']
        return [self.folder / kind / (name + KINDS[kind] * (not video)) for kind in kinds]

    def shared(self) -> list[Path]:
        """Return the files about all pictures."""
        coco = [self.folder / 'coco.json'] if 'coco' in self.kinds else []
        return [*coco, self.folder / 'classes.json']

    def write(
        self,
        name: str,
        file: str,
        pixels: np.ndarray,
        labels: np.ndarray,
        probabilities: np.ndarray | None = None,
    ) -> None:
        """Write the files of one picture.

        Args:
            name: The name of its outputs.
            file: The name of its file, for COCO's masks.
            pixels: BGR uint8 ``(H, W, 3)``.
            labels: Train ids ``(H, W)``.
            probabilities: ``(C, H, W)``; C may lack the background.  Needed for that kind only.

        Raises:
            SaveError: A file cannot be written.
        """
        ids = np.asarray(self.ids)[labels]
        if 'labels' in self.kinds:
            target = self.folder / 'labels' / f'{name}.png'
            write_label_file(target, ids.astype(np.uint8), self._colours)
        if 'overlays' in self.kinds:
            write_picture(self.folder / 'overlays' / f'{name}.png', self.overlay(pixels, labels))
        if 'probabilities' in self.kinds and probabilities is not None:
            first = len(self.ids) - len(probabilities)
            buffer = io.BytesIO()
            np.savez_compressed(
                buffer,
                probabilities=probabilities.astype(np.float16),
                ids=np.asarray(self.ids[first:]),
                classes=np.asarray(self.classes[first:]),
            )
            target = self.folder / 'probabilities' / f'{name}.npz'
            write_atomically(target, buffer.getvalue(), durable=False)
        if 'coco' in self.kinds:
            self._keep_masks(file, ids)

    def overlay(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return a picture with the colours of its classes, and a key of these below.

        The background stays as it is.

        Args:
            pixels: BGR uint8 ``(H, W, 3)``.
            labels: Train ids ``(H, W)``.
        """
        present = [i for i in np.unique(labels).tolist() if 0 < i < len(self.classes)]
        shown = np.where((labels > 0) & (labels < VOID), labels, VOID).astype(np.uint8)
        painted = paint(pixels, shown, [list(colour) for colour in self.palette], self.opacity)
        if not present:
            return painted
        return with_legend(painted, {self.classes[i]: self.palette[i] for i in present})

    def _keep_masks(self, file: str, ids: np.ndarray) -> None:
        number = len(self._images) + 1
        height, width = ids.shape
        self._images.append(dict(id=number, file_name=file, height=height, width=width))
        for class_id in np.unique(ids).tolist():
            if class_id:
                self._annotations.append(
                    dict(
                        id=len(self._annotations) + 1,
                        image_id=number,
                        category_id=class_id,
                        iscrowd=0,
                        **encode(ids == class_id),
                    )
                )

    def close(self) -> None:
        """Write the files about all pictures.

        Raises:
            SaveError: A file cannot be written.
        """
        names = [dict(id=i, name=name) for i, name in zip(self.ids, self.classes)]
        if 'coco' in self.kinds:
            content = dict(images=self._images, annotations=self._annotations, categories=names[1:])
            write_atomically(self.folder / 'coco.json', json.dumps(content) + '\n')
        table = [dict(each, color=list(c)) for each, c in zip(names, self.palette)]
        write_atomically(self.folder / 'classes.json', json.dumps(table, indent=1) + '\n')
