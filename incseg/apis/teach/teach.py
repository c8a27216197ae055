"""Teach a trained model a class that it does not know, from images of that class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from incseg.apis.config.check import check_config
from incseg.apis.teach.agreement import agreement
from incseg.apis.teach.known_model import KnownModel, default_out
from incseg.apis.teach.mask_classes import named_classes
from incseg.apis.teach.new_images import NewImages, new_images
from incseg.apis.teach.taught_config import Effort, effort, taught_config
from incseg.engine import train_protocol
from incseg.evaluation import Ledger
from incseg.utils.rules import expected, whole_number

#: how a class is learned from masks, if nobody says otherwise
METHOD = 'mib'


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
    """

    checkpoint: Path
    ledger: Ledger
    before: dict[str, float | None]
    after: dict[str, float | None]
    elsewhere: dict[str, float | None]
    kept: dict[str, float | None]


def teach(
    model: str | Path,
    images: str | Path,
    *,
    classes: Sequence[str] | Mapping[str, Any],
    masks: str | Path | None = None,
    val: Any = 'auto',
    others: str = 'known',
    data_root: str | Path | None = None,
    out: str | Path | None = None,
    method: str = METHOD,
    epochs: int | None = None,
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
        others: Mask values of no named class: ``'known'`` refuses them, ``'background'`` and
            ``'void'`` take them for that.
        data_root: Where the earlier images are now; None: where they were.
        out: The run's folder; by default ``work_dirs/<run of the model>+<classes>``.
        method: A base of ``configs/_base_/methods``.
        epochs: Passes over the images; None: the iterations grow with the root of their number.
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
    known = KnownModel(model, None if data_root is None else str(data_root), tuple(imports))
    tell(f'model    {known.in_words()}')
    named = named_classes(classes, known.classes)
    new = new_images(images, masks, named, val, others)
    for line in new.told:
        tell(line)
    chosen = effort(known, new, epochs, batch_size)
    config, told = taught_config(known, new, named.new, method, chosen, options or {}, seed)
    for line in told:
        tell(f'old      {line}')
    check_config(config)
    folder = default_out(known.path, list(named.new)) if out is None else Path(out)
    tell(f'plan     {plan_in_words(known, config, chosen)}')
    ledger = train_protocol(config, folder, resume=resume, start=known.path)
    return result_of(known, new, named.new, folder, ledger, device, tell)


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


def plan_in_words(model: KnownModel, config: Mapping[str, Any], chosen: Effort) -> str:
    """Return the line about the training that is to come."""
    method = config['method']
    size = (method.get('memory') or {}).get('size')
    old = f'{size} old images are replayed' if size else 'no old image is learned from'
    return (
        f'step {model.step + 1}, {method["name"]}, {chosen.iterations:,} iterations '
        f'({chosen.epochs} epochs, batch {chosen.batch_size}, rate {chosen.rate:.3g}); '
        f'{old}'
    )


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
        saved, ledger, dict(first), dict(last['iou']), dict(last.get('elsewhere') or {}), kept
    )
