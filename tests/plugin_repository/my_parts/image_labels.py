from pathlib import Path

from incseg.datasets import BaseImageLabels
from incseg.errors import MissingFileError
from incseg.registry import TASK_UTILS


@TASK_UTILS.register_module()
class TagFile(BaseImageLabels):
    """A text file with a line for every image: its id, and the names of its classes."""

    def __init__(self, dataset, path='tags.txt'):
        super().__init__(dataset)
        self.path = Path(dataset.data_root, path)
        if not self.path.is_file():
            raise MissingFileError(f'no tags at {self.path}')
        lines = [line.split() for line in self.path.read_text().splitlines()]
        self.tags = {image_id: names for image_id, *names in lines}

    def class_ids(self, image_id):
        return self.ids_of_names(self.tags[image_id], f'{self.path}, image {image_id}')
