import os
from functools import cached_property
from typing import Any

import numpy as np
import torch

from incseg.datasets.pseudo_labels.background_rule import BackgroundRule
from incseg.datasets.pseudo_labels.pseudo_label_files import PseudoLabelFiles
from incseg.utils.rules import SHARE, checked, or_none


class PseudoLabelView:
    """Pseudo-labels of one step: the PNGs, or label maps made again from the scores.

    Args:
        folder: ``<root>/<protocol>/<step>``.
        threshold: The background's score, 0 to 1.  It replaces the rule in
            ``meta.json``, and with refined scores the background's map.  None keeps them.
        uncertain: 0 to 1; a pixel becomes 255 if the score of its best class
            differs from the background's by less than this.  None for no such pixels.

    Raises:
        InvalidInputError: An argument is not a number, or out of range.
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
        """The rule for the background: the threshold, or else the rule in ``meta.json``."""
        if self.threshold is not None:
            return BackgroundRule('const', self.threshold)
        return BackgroundRule.of(self.meta.get('bg'), f"bg in '{self.files.meta_path}'")

    def has(self, image_id: str) -> bool:
        """Return whether the image has a PNG here."""
        return self.files.label_path(image_id).is_file()

    def label_map(self, image_id: str, visible: np.ndarray | None = None) -> np.ndarray:
        """Return the dataset ids of an image, uint8 ``(H, W)``, 255 = uncertain.

        The PNG is read if ``threshold``, ``uncertain`` and ``visible`` are None, else the scores.

        Args:
            image_id: Id of the image.
            visible: Bool ``(C + 1,)``: the classes that the image may show;
                scores of other classes are ignored.

        Raises:
            MissingFileError: The image has no PNG here, or no scores where
                they are needed, or there is no ``meta.json``.
            InvalidInputError: A file is damaged, or has an id that is not in
                ``meta.json``.
        """
        if self.threshold is None and self.uncertain is None and visible is None:
            return self.files.read_label(image_id, self.meta['ids'])
        score_file = self.files.read_scores(image_id, self.meta['ids'])
        scores, ids = score_file.full_size(), score_file.ids
        if self.rule.mode != 'score' and len(ids) and ids[0] == 0:  # the background's map
            scores, ids = scores[1:], ids[1:]
        if visible is not None:
            allowed = np.array([i == 0 or bool(visible[i]) for i in ids], np.bool_)
            scores, ids = scores[allowed], ids[allowed]
        label = self.rule.label_map(ids.tolist(), torch.from_numpy(scores), self.uncertain)
        return label.numpy()
