"""Label maps on disk: reading, writing, and the meaning of their ids."""

from incseg.datasets.label_maps.label_file import colour_map, read_label_file, write_label_file
from incseg.datasets.label_maps.reader import LabelReader

__all__ = [
    'LabelReader',
    'colour_map',
    'read_label_file',
    'write_label_file',
]
