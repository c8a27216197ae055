"""Pseudo-labels as the labels of a step: made on the way, or read from a folder."""

from typing import Any

from mmengine.dist import is_main_process

from incseg.datasets import PseudoLabelFiles
from incseg.engine.labels import StepLabels
from incseg.engine.weak.label_folder import check_label_folder
from incseg.engine.weak.label_settings import check_annotation
from incseg.engine.weak.pseudo_labels import pseudo_label_job
from incseg.engine.weak.seam_checks import check_labelling, check_start
from incseg.engine.weak.seam_config import (
    basenames_only,
    needs_old_network,
    seam_dataset_config,
    seam_image_labels,
)
from incseg.engine.weak.seam_store import labels_root, seam_folder
from incseg.engine.weak.seam_training import train_seam
from incseg.protocols import Protocol
from incseg.registry import DATASETS, STEP_LABELS
from incseg.utils.rules import expected

#: keys of the labels' ``meta.json`` that the ledger repeats
LEDGER_KEYS = (
    'scope',
    'negatives',
    'pretrained',
    'init_from',
    'refine',
    'bg',
    'ckpt_sha',
    'image_label_source',
    'image_labels_sha',
)


@STEP_LABELS.register_module()
class PseudoLabels(StepLabels):
    """Label maps made from image-level labels: SEAM is trained, its labels are written and read.

    Args:
        folder: The root of pseudo-labels that are there already; None to make them.
        threshold: Background score, 0 to 1, by which label maps are made anew from the scores;
            None for the label maps as written.
        uncertain: Pixels whose best class is closer than this to the background become 255; None
            for no such pixels.
        gating: Whether scores of classes that an image does not show, by its image-level labels,
            are ignored.
        kwargs: See :class:`~incseg.engine.labels.StepLabels`.

    Attributes:
        all_images: Whether an image without any of the classes needs a label map too.

    Raises:
        InvalidInputError: An option is not allowed, or the method is joint (see
            :class:`JointPseudoLabels`) or has a memory.
    """

    joint = False
    all_images = False

    def __init__(
        self,
        folder: str | None = None,
        threshold: float | None = None,
        uncertain: float | None = None,
        gating: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if self.experiment.joint != self.joint:
            kind = 'JointPseudoLabels' if self.experiment.joint else 'PseudoLabels'
            raise expected(
                'annotation.type',
                type(self).__name__,
                f'{kind!r} with method.joint={self.experiment.joint}',
            )
        self.reading = dict(threshold=threshold, uncertain=uncertain, gating=gating)
        check_annotation(self.experiment.config, dict(self.reading, folder=folder))
        self.folder = folder

    @property
    def needs_previous(self) -> bool:  # type: ignore[override]
        return self.folder is None and needs_old_network(self.experiment, self.step)

    @property
    def needs_step0(self) -> bool:  # type: ignore[override]
        seam = self.experiment.config.get('seam') or {}
        return self.folder is None and seam.get('init_from') == 'step0'

    @property
    def parts(self) -> list[tuple[Protocol, int]]:
        """The protocol and the number of each step whose pseudo-labels this step reads."""
        return [(self.experiment.training_protocol, self.step)]

    @property
    def changes(self) -> dict[str, Any]:
        """Those of the options ``threshold``, ``uncertain`` and ``gating`` that are set."""
        return {k: v for k, v in self.reading.items() if v is not None and v is not False}

    def files(self) -> list[PseudoLabelFiles]:
        """Return the pseudo-labels of each part, whether or not they exist.

        Where ``seam.negatives`` uses the network of the previous step, their folder depends on that
        network, see :meth:`begin`.
        """
        return [
            PseudoLabelFiles.of_step(
                labels_root(self.experiment, step, self.previous, protocol)
                if self.folder is None
                else self.folder,
                protocol.name,
                step,
            )
            for protocol, step in self.parts
        ]

    def loader(self) -> dict[str, Any]:
        return dict(
            type='LoadPseudoLabels',
            folders=[str(files.folder) for files in self.files()],
            **self.reading,
            mask_classes=list(self.mask_classes),
        )

    def image_labels(self) -> dict[str, Any]:
        return seam_image_labels(self.experiment)

    def check(self, dataset: Any) -> None:
        """Refuse missing files, classes that SEAM could not learn, and scales that leave nothing.

        See :meth:`StepLabels.check`.
        """
        if self.folder is not None:
            check_label_folder(self, dataset)
            return
        for _, step in self.parts:
            config = seam_dataset_config(self.experiment, step)
            images = DATASETS.build(dict(config, dataset=dataset.dataset))
            check_labelling(self.experiment, images)
        check_start(self.experiment)

    def make(self) -> None:
        """Train SEAM and write the missing label maps; with ``folder`` do nothing."""
        if self.folder is not None:
            return
        experiment = self.experiment
        for protocol, step in self.parts:
            folder = seam_folder(experiment, step, self.previous)
            if is_main_process():
                print(f'pseudo-labels of {protocol.name} step {step}: SEAM in {folder}', flush=True)
            checkpoint = train_seam(
                experiment, step, folder, resume=True, step0=self.step0, previous=self.previous
            )
            pseudo_label_job(
                experiment,
                checkpoint,
                labels_root(experiment, step, self.previous, protocol),
                step=step,
                protocol=protocol,
                resume=True,
            )

    def identity(self) -> Any:
        """Return plain data: how label maps are loaded and, with ``folder``, its files' states."""
        states = [] if self.folder is None else [files.states() for files in self.files()]
        return [self.loader(), states]

    def ledger_entry(self) -> dict[str, Any]:
        """Return ``pseudo_labels`` for the ledger: for each part a dict of how labels were made.

        It has keys of ``meta.json``, of a path the last part, and ``annotation``, the set options.
        """
        changes = dict(annotation=self.changes) if self.changes else {}
        metas = [files.read_meta() for files in self.files()]
        return dict(
            pseudo_labels=[
                {
                    **{key: basenames_only(meta[key]) for key in meta if key in LEDGER_KEYS},
                    **changes,
                }
                for meta in metas
            ]
        )


@STEP_LABELS.register_module()
class JointPseudoLabels(PseudoLabels):
    """Pseudo-labels for joint training, which learns all classes at once.

    With ``seam.scope='all'`` one SEAM network knows all classes and labels every image.  With
    ``seam.scope='step'`` each step of the protocol has a SEAM network of its own; a pixel of an
    image gets the class of the first step that has one there.  With ``annotation.steps='added'``
    the classes of step 0 are read from the masks of the data set.

    Args:
        kwargs: The arguments of :class:`PseudoLabels`.
    """

    joint = True

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if self._masks_of_base:
            self.mask_classes = self.experiment.protocol.base_classes

    @property
    def _masks_of_base(self) -> bool:
        return self.experiment.config['annotation']['steps'] == 'added'

    @property
    def all_images(self) -> bool:  # type: ignore[override]
        return not self._masks_of_base and len(self.parts) == 1

    @property
    def parts(self) -> list[tuple[Protocol, int]]:
        if (self.experiment.config.get('seam') or {}).get('scope', 'step') != 'step':
            return super().parts
        protocol = self.experiment.protocol
        first = 1 if self._masks_of_base else 0
        return [(protocol, step) for step in range(first, protocol.num_steps)]
