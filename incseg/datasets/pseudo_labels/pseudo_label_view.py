import os
from functools import cached_property
from typing import Any

import numpy as np
import torch

from incseg.datasets.pseudo_labels.background_rule import BackgroundRule
from incseg.datasets.pseudo_labels.pseudo_label_files import PseudoLabelFiles
from incseg.utils.rules import SHARE, checked, or_none


class PseudoLabelView:
    """Pseudo-labels of one step as they are wanted: the PNGs, or anew from the scores.

    Args:
        folder: ``<root>/<protocol>/<step>``.
        threshold: the background's score, 0 to 1, in place of the rule in
            ``meta.json``; of refined scores in place of the background's map.
        uncertain: pixels whose best class is closer than this to the
            background, 0 to 1, become 255.

    Raises:
        InvalidInputError: an argument is no number, or out of range.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        threshold: float | None = None,
        uncertain: float | None = None,
    ) -> None:
        for name, value in (('threshold', threshold), ('uncertain', uncertain)):
            checked(f'{name} of pseudo-labels', value, or_none(SHARE))
        self.files = PseudoLabelFiles(folder)
        self.threshold = threshold
        self.uncertain = uncertain

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The content of ``meta.json``."""
        return self.files.read_meta()

    @cached_property
    def rule(self) -> BackgroundRule:
        """What a class has to beat; without a threshold, as ``meta.json`` says."""
        if self.threshold is not None:
            return BackgroundRule('const', self.threshold)
        return BackgroundRule.of(self.meta.get('bg'), f"bg in '{self.files.meta_path}'")

    def has(self, image_id: str) -> bool:
        """Whether the image has a PNG here."""
        return self.files.label_path(image_id).is_file()

    def label_map(self, image_id: str, visible: np.ndarray | None = None) -> np.ndarray:
        """Dataset ids of an image, uint8 ``(H, W)``, 255 = uncertain.

        Args:
            image_id: id of the image.
            visible: bool ``(C + 1,)``: the classes the image may show; scores
                of others are left out.

        Raises:
            MissingFileError: the image has no files here, or no scores though
                they are needed; or there is no ``meta.json``.
            InvalidInputError: a file is damaged, or has an id that
                ``meta.json`` does not name.
        """
        if self.threshold is None and self.uncertain is None and visible is None:
            return self.files.read_label(image_id, self.meta['ids'])
        found = self.files.read_scores(image_id, self.meta['ids'])
        scores, ids = found.full_size(), found.ids
        if self.rule.mode != 'score' and len(ids) and ids[0] == 0:  # a map we do not want
            scores, ids = scores[1:], ids[1:]
        if visible is not None:
            kept = np.array([i == 0 or bool(visible[i]) for i in ids], np.bool_)
            scores, ids = scores[kept], ids[kept]
        label = self.rule.label_map(ids.tolist(), torch.from_numpy(scores), self.uncertain)
        return label.numpy()
