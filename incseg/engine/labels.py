"""The sources of a step's labels: masks, pseudo-labels, lists of classes, or a plug-in's."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from incseg.datasets import SegDataset
from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.recipe.data import LOAD_MASKS, dataset_config, training_images
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import digest
from incseg.registry import DATASETS, STEP_LABELS, TASK_UTILS, part_of
from incseg.utils.rules import expected


class StepLabels(ABC):
    """The source of the labels of one step.

    The engine asks this object for everything that depends on the labels.  A subclass, registered
    in ``STEP_LABELS``, implements :meth:`loader` and what else differs from masks.  A config
    names it by ``annotation.type``; the other keys of ``annotation``, but ``steps``, are its
    arguments.  One object is made per step, before the first step is trained, by
    :func:`step_labels`.

    Args:
        experiment: The experiment.
        step: The step, from 0.

    Attributes:
        needs_previous: Whether the place or the content of the labels depends on the network of
            the previous step.  The step's data set is then built again once that network is there.
        needs_step0: Whether the labels are made with the network of step 0.
        mask_classes: Dataset ids of the classes that the step learns from masks.
        step0: The checkpoint of step 0; None before :meth:`begin`, and at step 0.
        previous: The checkpoint of the previous step, likewise.
    """

    needs_previous: bool = False
    needs_step0: bool = False
    mask_classes: tuple[int, ...] = ()

    def __init__(self, experiment: Experiment, step: int):
        self.experiment, self.step = experiment, step
        self.step0: StepCheckpoint | None = None
        self.previous: StepCheckpoint | None = None

    @abstractmethod
    def loader(self) -> dict[str, Any] | None:
        """Return the config of the transform that loads an image's labels; None to load none."""

    def image_labels(self) -> dict[str, Any] | None:
        """Return the config of the source of image-level labels; None where masks are read."""
        return None

    @property
    def partly_labelled(self) -> bool:
        """Whether an image of the step may be without a mask."""
        return not masks_needed(self.image_labels())

    def dataset(self) -> dict[str, Any]:
        """Return the config of the step's training images and their labels."""
        return dataset_config(
            self.experiment,
            self.step,
            'train',
            loader=self.loader(),
            image_labels=self.image_labels(),
            source=training_set(self.experiment, self.step),
        )

    def build(self, source: SegDataset) -> Any:
        """Build the step's training images and their labels.

        Args:
            source: The whole data set, which all steps share.

        Raises:
            InvalidInputError: The step has no image, or its labels teach nothing.
        """
        return DATASETS.build(dict(self.dataset(), dataset=source))

    def check(self, dataset: Any) -> None:  # noqa: B027 (nothing by default)
        """Refuse, before the first step is trained, what would stop this step later.

        Args:
            dataset: What :meth:`build` returned.

        Raises:
            UserError: A file is missing, or a setting or label is not allowed.
        """

    def begin(self, step0: StepCheckpoint | None, previous: StepCheckpoint | None) -> None:
        """Take the checkpoints of step 0 and of the previous step (None at step 0)."""
        self.step0, self.previous = step0, previous

    def make(self) -> None:  # noqa: B027 (nothing by default)
        """Create the labels that are missing, after :meth:`begin`.

        All processes call this.  Labels that an interrupted call left half made are completed.

        Raises:
            UserError: An input is missing or not allowed.
        """

    def identity(self) -> Any:
        """Return plain data that differs between labels with different results.

        The hash of the shared base step includes it.  None for masks, whose files it has anyway.
        """
        return None

    def digest(self, dataset: Any) -> str | None:
        """Return a fingerprint of the step's labels for ``config.json``; None for no record.

        ``--resume`` refuses a step whose fingerprint differs.  Here: of the image-level labels of
        the step's images and new classes, where there are any.

        Args:
            dataset: What :meth:`build` returned.
        """
        labels = getattr(dataset, 'image_labels', None)
        if labels is None:
            return None
        new = list(self.experiment.training_protocol.new(self.step))
        return digest([dataset.indices.tolist(), labels[dataset.indices][:, new].tolist()])

    def fingerprint(self, dataset: Any) -> str:
        """Return a text that differs between steps with other images or masks.

        Args:
            dataset: What :meth:`build` returned.
        """
        return fingerprint_of(
            getattr(dataset, 'dataset', dataset), getattr(dataset, 'indices', None)
        )

    def ledger_entry(self) -> dict[str, Any]:
        """Return keys to add to the step's entry in ``results.json``; empty for masks."""
        return {}


@STEP_LABELS.register_module()
class MaskLabels(StepLabels):
    """The masks of the data set."""

    @property
    def mask_classes(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.experiment.training_protocol.new(self.step)

    def loader(self) -> dict[str, Any]:
        return dict(LOAD_MASKS)


def step_labels(experiment: Experiment, k: int) -> StepLabels:
    """Build the labels of step ``k`` as the config says.

    With ``annotation`` they are of its type, by default pseudo-labels, in the steps that
    ``annotation.steps`` says; a method with ``image_labels`` learns added steps from these; else
    labels are masks.

    Raises:
        InvalidInputError: ``annotation.type`` is not registered.
    """
    config = experiment.config
    annotation, image_labels = config.get('annotation'), config['method'].get('image_labels')
    chosen: dict[str, Any] = dict(type='MaskLabels')
    if annotation is not None and (experiment.joint or k > 0 or annotation['steps'] == 'all'):
        chosen = dict(annotation)
        chosen.setdefault('type', 'JointPseudoLabels' if experiment.joint else 'PseudoLabels')
        chosen.pop('steps')
    elif k > 0 and image_labels:
        chosen = dict(type='ImageLabels', image_labels=image_labels)
        chosen['negatives'] = config['method'].get('negatives')
    if part_of(chosen['type'], STEP_LABELS) is None:
        raise expected(
            'annotation.type', chosen['type'], 'a registered type (custom_imports missing?)'
        )
    built: StepLabels = STEP_LABELS.build(dict(chosen, experiment=experiment, step=k))
    return built


def all_labels(experiment: Experiment) -> list[StepLabels]:
    """Build the labels of every step."""
    return [step_labels(experiment, k) for k in range(experiment.num_steps)]


def step_dataset(experiment: Experiment, k: int, source: SegDataset) -> Any:
    """Build the data set of step ``k``: its training images and labels, out of ``source``."""
    return step_labels(experiment, k).build(source)


def training_set(
    experiment: Experiment, k: int = 0, labels: Sequence[StepLabels] | None = None
) -> dict[str, Any]:
    """Return the config of the data set that holds the images of step ``k``.

    An image may be without a mask if the labels of a step allow that; ``check_masks`` says
    which images may not.

    Args:
        experiment: The experiment.
        k: The step.
        labels: The labels of all steps, if they are built already.
    """
    steps = all_labels(experiment) if labels is None else labels
    return training_images(experiment, k, any(step.partly_labelled for step in steps))


def masks_needed(source: Mapping[str, Any] | None) -> bool:
    """Return whether every image needs a mask.

    Args:
        source: Config of the image-level labels; None, or a source that derives them from masks,
            needs all masks.
    """
    kind = None if source is None else source['type']
    part = part_of(kind, TASK_UTILS)
    return part is None or bool(getattr(part, 'reads_masks', False))


def fingerprint_of(source: Any, indices: Sequence[int] | None = None) -> str:
    """Return the fingerprint of a data set's images and masks, as text.

    Args:
        source: A :class:`SegDataset`; a data set without ``fingerprint`` gives ``'unknown'``.
        indices: The images that count, by index; None for all.
    """
    own = getattr(source, 'fingerprint', None)
    return str(own(indices)) if own is not None else 'unknown'


def check_old_networks(
    labels: Sequence[StepLabels], steps: Sequence[int], keep: int | None
) -> None:
    """Refuse to remove the network of step 0 before a later step has read it.

    Args:
        labels: The labels of all steps, from :func:`all_labels`.
        steps: The steps that the run trains.
        keep: How many of the last networks stay; None for all.

    Raises:
        InvalidInputError: Naming the later step.
    """
    for k in steps:
        if keep is not None and labels[k].needs_step0 and k > keep:
            raise expected(
                'schedule.keep',
                keep,
                f"'all': the labels of step {k} are made with the network of step 0",
            )


def label_digests(labels: Sequence[StepLabels], datasets: Mapping[int, Any]) -> dict[str, str]:
    """Return the fingerprint of each step's labels, by step number as text.

    Args:
        labels: The labels of all steps, from :func:`all_labels`.
        datasets: What their ``build`` returned, by step; other steps are left out.
    """
    digests = {str(k): labels[k].digest(dataset) for k, dataset in datasets.items()}
    return {k: value for k, value in digests.items() if value is not None}
