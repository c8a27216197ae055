"""Pseudo-labels of a step on disk: label maps, scores, and the rule for the background."""

from incseg.datasets.pseudo_labels.background_rule import BackgroundRule
from incseg.datasets.pseudo_labels.coco_export import export_coco
from incseg.datasets.pseudo_labels.pseudo_label_files import PseudoLabelFiles, label_folders
from incseg.datasets.pseudo_labels.pseudo_label_view import PseudoLabelView
from incseg.datasets.pseudo_labels.score_file import ScoreFile

__all__ = [
    'BackgroundRule',
    'PseudoLabelFiles',
    'PseudoLabelView',
    'ScoreFile',
    'export_coco',
    'label_folders',
]
