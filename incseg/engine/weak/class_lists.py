"""Lists of the classes in each image as the labels of a step."""

from collections.abc import Mapping
from typing import Any

from incseg.datasets import SegDataset
from incseg.engine.labels import StepLabels
from incseg.engine.recipe.identity import digest
from incseg.registry import DATASETS, STEP_LABELS


@STEP_LABELS.register_module()
class ImageLabels(StepLabels):
    """The lists of classes in each image, without any label map, as WILSON learns from.

    Args:
        image_labels: Config of the source of image-level labels.
        negatives: Config of images without the new classes; None for none.
        kwargs: See :class:`~incseg.engine.labels.StepLabels`.
    """

    def __init__(
        self,
        image_labels: Mapping[str, Any],
        negatives: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.source, self.negatives = dict(image_labels), negatives

    def loader(self) -> None:
        return None

    def image_labels(self) -> dict[str, Any]:
        return self.source

    def dataset(self) -> dict[str, Any]:
        config = super().dataset()
        return dict(
            type='WeakDataset',
            scope='step',
            negatives=self.negatives,
            **{
                key: config[key]
                for key in ('dataset', 'protocol', 'step', 'image_labels', 'pipeline')
            },
        )

    def build(self, source: SegDataset) -> Any:
        return DATASETS.build(
            dict(self.dataset(), dataset=source, protocol=self.experiment.training_protocol)
        )

    def digest(self, dataset: Any) -> str:
        """Return a hash of the step's images and of their labels, which are of new classes only.

        Args:
            dataset: The step's :class:`WeakDataset`.
        """
        return digest([dataset.indices.tolist(), dataset.image_labels.tolist()])
