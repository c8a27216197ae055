"""Teach a trained model a class that it does not know, from images of that class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from incseg.apis.config.check import check_config
from incseg.apis.teach.agreement import agreement
from incseg.apis.teach.found_images import FoundImages, found_images
from incseg.apis.teach.kept_images import keep_copies, kept_before, memory_in_words
from incseg.apis.teach.known_model import KnownModel, default_out
from incseg.apis.teach.mask_classes import named_classes
from incseg.apis.teach.new_images import NewImages, new_images
from incseg.apis.teach.pace import check_minutes, epochs_before, shortened
from incseg.apis.teach.pseudo_labels import (
    make_pseudo_labels,
    seam_config,
    seam_in_words,
    seam_options,
)
from incseg.apis.teach.tagged_images import LABELS, TaggedImages, tagged_images
from incseg.apis.teach.taught_config import Effort, effort, taught_config
from incseg.engine import train_protocol
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir import WorkDir
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation import Ledger
from incseg.utils.files import write_json
from incseg.utils.rules import expected, whole_number

#: how a class is learned from masks, if nobody says otherwise
METHOD = 'mib'
#: the file of scores by image, in the run's folder
FOUND = 'found.json'


@dataclass(frozen=True)
class TeachResult:
    """What a model has learned.

    Attributes:
        checkpoint: The ``final.pth`` of the taught model.
        ledger: The ledger of the run.
        before, after: IoU of each class on its own test images, percent; None without such images.
        elsewhere: For each class, percent of the pixels of test images that do not annotate it on
            which it is predicted; None where no test image counts.
        kept: For each old class the agreement of both models on the new test images, percent (see
            :func:`agreement`); None for a class that neither sees; empty without test images.
        found: Where the labels were classes of images: in which of the images that were held out
            each new class is found; empty without such images.
    """

    checkpoint: Path
    ledger: Ledger
    before: dict[str, float | None]
    after: dict[str, float | None]
    elsewhere: dict[str, float | None]
    kept: dict[str, float | None]
    found: dict[str, FoundImages]


def teach(
    model: str | Path,
    images: str | Path,
    *,
    classes: Sequence[str] | Mapping[str, Any],
    masks: str | Path | None = None,
    labels: str | Path | None = None,
    negatives: str | Path | None = None,
    val: Any = 'auto',
    others: str = 'known',
    data_root: str | Path | None = None,
    out: str | Path | None = None,
    method: str = METHOD,
    keep: int = 0,
    epochs: int | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    seed: int = 42,
    device: str | None = None,
    imports: Sequence[str] = (),
    resume: bool = False,
    options: Mapping[str, Any] | None = None,
    tell: Callable[[str], Any] = print,
) -> TeachResult:
    """Teach a trained model one class or several that it does not know.

    Only images of the new classes are needed, with masks that show these classes; what else is in
    the images is background in the masks.  The images that the model was trained on are not
    learned from; where they are at hand the old classes are tested on them.

    Args:
        model: The ``final.pth`` of a training, of ``incseg import`` or of an earlier call.
        images: The folder of the new images.
        classes: Names of the new classes, or names with their values in the masks; a class that
            the model knows, with its value, if the masks annotate it too.
        masks: The folder of the masks, or a JSON file in COCO's form; None looks for masks in the
            folder of the images.
        val: What the new classes are tested on: ``'auto'`` holds a fifth of the images out, at
            least 5, at most 100, and none of fewer than 25; or a share, a number of images, a
            folder with images and masks, or ``'none'``.
        labels: In the place of masks, the classes of each image: a JSON file
            ``{image: [classes]}``, or ``'all'`` if each image shows each new class.
        negatives: A folder of images that show none of the new classes, for ``labels``, or for
            images that all show them.
        others: Mask values of no named class: ``'known'`` refuses them, ``'background'`` and
            ``'void'`` take them for that.
        data_root: Where the images of all earlier steps are now, by their old names below it;
            None: where they were.
        out: The run's folder; by default ``work_dirs/<run of the model>+<classes>``.
        method: A base of ``configs/_base_/methods``.
        keep: How many images of the new classes are copied beside the taught model, which replays
            them when it is taught again; 0 keeps none.
        epochs: Passes over the images; None: the iterations grow with the root of their number.
        minutes: How long the training may take, by the time that some iterations take here; not
            with ``epochs``.
        batch_size: Images of a batch; None: 8, on a GPU 16.
        seed: Seed of batches, transforms and new weights.
        device: ``'cuda'`` or ``'cpu'``, to be refused where the training would run elsewhere.
        imports: Modules of the user's own parts, which are imported first.
        resume: Whether an interrupted call goes on.
        options: Overrides of the run's config by dotted key.
        tell: Called with each line for the user.

    Returns:
        The taught model and its scores.

    Raises:
        UserError: A file or an argument is not as described; nothing has been trained then.
    """
    whole_number('--seed', seed, 0, 2**32 - 1)
    check_device(device)
    check_minutes(minutes, epochs)
    known = KnownModel(model, None if data_root is None else str(data_root), tuple(imports))
    tell(f'model    {known.in_words()}')
    named = named_classes(classes, known.classes)
    folder = default_out(known.path, list(named.new)) if out is None else Path(out)
    of_seam, options = seam_options(options or {})
    check_labels(masks, labels, negatives, of_seam)
    new: NewImages
    if labels is None and negatives is None:
        try:
            new = new_images(images, masks, named, val, others)
        except MissingFileError as error:
            if masks is not None:
                raise
            hint = 'without masks, --labels FILE says which images show the class'
            raise MissingFileError(f'{error}; {hint}') from error
    else:
        new = tagged_images(images, labels, negatives, named, known.classes, folder, val, others)
    for line in new.told:
        tell(line)
    if minutes is not None and resume:
        epochs = epochs_before(folder)
    chosen = effort(known, new, epochs, batch_size)
    config, told = taught_config(known, new, named.new, method, chosen, options, seed, keep)
    for line in told:
        tell(f'old      {line}')
    if isinstance(new, TaggedImages):
        config['method']['name'] += '_s'  # as methods on pseudo-labels are called
    check_config(config)
    if isinstance(new, TaggedImages):
        seam = seam_config(known, new, named.new, folder / LABELS, of_seam, seed)
        WorkDir(folder, Experiment(config), resume).earlier_entries(None)  # none is written over
        tell(f'seam     {seam_in_words(seam, new)}')
        tell('labels   ' + make_pseudo_labels(seam, known, new, named.new, folder / LABELS, device))
    if minutes is not None and epochs is None:
        chosen = shortened(chosen, minutes, config, known.path)
        config['epochs'] = chosen.epochs
    tell(f'plan     {plan_in_words(known, config, chosen, named.new, new.number)}')
    ledger = train_protocol(config, folder, resume=resume, start=known.path)
    if keep or kept_before(known):
        keep_copies(config, folder / f'step_{known.step + 1}' / 'final.pth')
    return result_of(known, new, named.new, folder, ledger, device, tell)


def check_labels(masks: Any, labels: Any, negatives: Any, of_seam: Mapping[str, Any]) -> None:
    """Refuse masks beside labels of images, and what belongs to the other of both.

    Raises:
        InvalidInputError: Naming the options.
    """
    if masks is not None and labels is not None:
        raise InvalidInputError(
            '--masks and --labels are both given, expected one: masks, or the classes of each image'
        )
    if masks is not None and negatives is not None:
        raise InvalidInputError(
            '--masks and --negatives are both given, expected one: masks show where a class is '
            'not; images without it may lie among --images, with masks of 0'
        )
    if of_seam and labels is None and negatives is None:
        raise InvalidInputError(
            f'--cfg-options {next(iter(of_seam))} is for images without masks, expected --labels '
            'or --negatives with it'
        )


def check_device(device: str | None) -> None:
    """Refuse a device on which the training would not run.

    Raises:
        InvalidInputError: It is none of ``'cpu'``, ``'cuda'`` and None, or is not the one that the
            library took when it was imported.
    """
    if device not in (None, 'cpu', 'cuda'):
        raise expected('--device', device, "'cpu' or 'cuda'")
    gpu = torch.cuda.is_available()
    if device == 'cuda' and not gpu:
        raise expected('--device', device, "'cpu': there is no GPU")
    if device == 'cpu' and gpu:
        raise expected(
            'device', device, "None: set CUDA_VISIBLE_DEVICES='' before torch is imported"
        )


def plan_in_words(
    model: KnownModel, config: Mapping[str, Any], chosen: Effort, new: Sequence[str], images: int
) -> str:
    """Return the line about the training that is to come."""
    method = config['method']
    old = memory_in_words(config, len(kept_before(model)), new, images)
    device = 'GPU' if torch.cuda.is_available() else 'CPU'
    time = '' if chosen.minutes is None else f', {device}: about {in_words(chosen.minutes)}'
    return (
        f'step {model.step + 1}, {method["name"]}, {chosen.iterations:,} iterations '
        f'({chosen.epochs} epochs, batch {chosen.batch_size}, rate {chosen.rate:.3g}){time}; '
        f'{old}'
    )


def in_words(minutes: float) -> str:
    """Return a time as text: minutes, or seconds where it is below one minute."""
    if minutes < 1:
        return f'{max(round(60 * minutes), 1)} seconds'
    return '1 minute' if round(minutes) == 1 else f'{minutes:.0f} minutes'


def result_of(
    model: KnownModel,
    images: NewImages,
    new: Sequence[str],
    folder: Path,
    ledger: Ledger,
    device: str | None,
    tell: Callable[[str], Any],
) -> TeachResult:
    """Compare the models before and after, and say where the taught one is."""
    last = ledger.steps[-1]
    first = ledger.steps[-2]['iou'] if len(ledger.steps) > 1 else {}
    saved = folder / f'step_{model.step + 1}' / 'final.pth'
    found: dict[str, FoundImages] = {}
    if isinstance(images, TaggedImages) and images.asked:
        found = found_images(saved, images.asked, new, device)
        scores = {name: each.as_dict() for name, each in found.items()}
        write_json(folder / FOUND, scores)
        for name, each in found.items():
            tell(f'found    {each.in_words(name, len(images.asked))}')
    kept: dict[str, float | None] = {}
    if images.test is not None:
        kept = agreement(model.path, saved, images.test, model.classes, len(new), device)
        seen = [value for value in kept.values() if value is not None]
        if seen:
            tell(
                f'agree    on the new test images both models see the same old classes: '
                f'{fmean(seen):.0f} % (IoU of their predictions, no score)'
            )
    tell(f'saved    {saved}')
    return TeachResult(
        saved,
        ledger,
        dict(first),
        dict(last['iou']),
        dict(last.get('elsewhere') or {}),
        kept,
        found,
    )
