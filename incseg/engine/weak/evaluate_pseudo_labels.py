"""Quality of pseudo-labels, at every background threshold."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from incseg.constants import VOID
from incseg.datasets import LoadImage, LoadLabels, PseudoLabelFiles
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.confusion import confusion_matrix, iou_per_class
from incseg.evaluation.conventions import mean
from incseg.evaluation.report import number
from incseg.evaluation.threshold_sweep import ThresholdSweep, draw_sweep, sweep_table
from incseg.utils.files import write_atomically
from incseg.utils.outputs import check_outputs
from incseg.utils.progress import Progress
from incseg.utils.rules import expected

#: background scores of the sweep
THRESHOLDS = tuple(round(0.01 * i, 2) for i in range(100))


def eval_pseudo_labels(
    dataset: Any,
    folder: str | Path,
    thresholds: Sequence[float] = THRESHOLDS,
    num_threads: int = 4,
) -> dict[str, Any]:
    """Compare a step's pseudo-labels with the masks.

    The classes are those of ``meta.json``; all others count as background, as
    for the network that made the labels.  Void pixels are left out.  The scores
    are read once for all thresholds.

    Args:
        dataset: A :class:`SegDataset`; images that lack a mask or a pseudo-label
            are left out.
        folder: ``<root>/<protocol>/<step>``.
        thresholds: Background scores to try.
        num_threads: Number of images that are read at the same time.

    Returns:
        A dict of plain data, all IoUs in percent:

        - ``set``: name of the data set and its split;
        - ``images``, ``of``: number of images compared, and of all images;
        - ``stage``: type of the refinement that made the scores;
        - ``classes``: names of the classes, the background first;
        - ``new``: names of the classes that are new in the step;
        - ``sweep``: :meth:`ThresholdSweep.rows` and, in each row, ``new``, the mean
          IoU of the new classes; empty without scores;
        - ``labels``: ``{iou, classes, all, uncertain, new}`` of the label maps as
          written; uncertain pixels are left out of the IoU, ``uncertain`` is their
          share in percent.

    Raises:
        MissingFileError: No image of the data set has a mask and a pseudo-label.
        InvalidInputError: A file is damaged, or has an id that ``meta.json``
            does not name; or the labels are of another data set.
    """
    files = PseudoLabelFiles(folder)
    meta = files.read_meta()
    check_classes(files, dataset)
    labelled = dataset.has_mask
    compared = [
        i
        for i, image_id in enumerate(dataset.image_ids)
        if labelled[i] and files.label_path(image_id).is_file()
    ]
    name = f'{type(dataset).__name__} {"+".join(dataset.splits)}'
    if not compared:
        raise MissingFileError(
            f'none of the {labelled.sum()} images of {name} with a mask has a PNG in '
            f"'{files.folder}/labels'"
        )
    ids = list(meta['ids'])
    with_scores = files.score_path(dataset.image_ids[compared[0]]).is_file()
    sweep = ThresholdSweep(len(ids) + 1, thresholds)
    matrix = torch.zeros(len(ids) + 1, len(ids) + 1, dtype=torch.int64)
    uncertain = known = 0

    def read(index: int) -> tuple[np.ndarray, ...]:
        return _read(dataset, index, files, ids, with_scores)

    with (
        ThreadPoolExecutor(num_threads) as pool,
        closing(Progress(len(compared), f'evaluating {name}', True)) as bar,
    ):
        for truth, label, *best in pool.map(read, compared):
            if best:
                sweep.add(truth, *best)
            unsure = (label == VOID) & (truth != VOID)
            uncertain, known = uncertain + int(unsure.sum()), known + int((truth != VOID).sum())
            truth = np.where(unsure, VOID, truth)
            label = np.where(truth == VOID, 0, label)
            matrix += confusion_matrix(
                torch.from_numpy(label), torch.from_numpy(truth), len(ids) + 1
            )
            bar.update(1)
    iou = iou_per_class(matrix)
    names = dataset.metainfo['classes']
    new = new_ids(meta)
    rows = sweep.rows() if with_scores else []
    labels = dict(
        iou=iou,
        classes=mean(iou[1:]),
        all=mean(iou),
        uncertain=100 * uncertain / known if known else None,
    )
    for row in (*rows, labels):
        row['new'] = mean([row['iou'][1 + ids.index(i)] for i in new])
    return dict(
        set=name,
        images=len(compared),
        of=len(dataset),
        stage=(meta.get('refine') or {}).get('type', 'unknown'),
        classes=['background', *(names[i] for i in ids)],
        new=[names[i] for i in new],
        sweep=rows,
        labels=labels,
    )


def _read(
    dataset: Any, index: int, files: PseudoLabelFiles, ids: list[int], with_scores: bool
) -> tuple[np.ndarray, ...]:
    """Return what is compared in one image: maps of uint8 ``(H, W)``.

    Classes are numbered by their place in ``ids``, from 1; 0 is background, 255 void.

    Returns:
        Truth and label; with scores also the class of the highest score, 0 where there is none,
        and 255 times that score.
    """
    info = dataset.get_data_info(index)
    lut = np.zeros(256, np.uint8)  # from a dataset id to the class's place in ids, from 1
    lut[ids] = np.arange(1, len(ids) + 1)
    lut[VOID] = VOID
    info['label_lut'] = lut
    truth = LoadLabels().transform(LoadImage().transform(info))['gt_seg_map']
    label = files.read_label(info['image_id'], ids)
    if label.shape != truth.shape:
        raise expected(
            f"size of pseudo-label '{files.label_path(info['image_id'])}'",
            label.shape,
            f'{truth.shape} (height, width), as its mask',
        )
    if not with_scores:
        return truth, lut[label]
    stored = files.read_scores(info['image_id'], ids)
    classes = stored.ids != 0  # the threshold takes the place of the background's map
    if not classes.any():
        nothing = np.zeros_like(truth)
        return truth, lut[label], nothing, nothing
    scores = np.rint(stored.full_size()[classes] * 255).astype(np.uint8)
    return truth, lut[label], lut[stored.ids[classes][scores.argmax(0)]], scores.max(0)


def report_pseudo_labels(dataset: Any, folder: str | Path, thresholds: Sequence[float]) -> str:
    """Evaluate pseudo-labels, write ``sweep.json`` and ``sweep.png``, and return a report.

    Args:
        dataset: A :class:`SegDataset` with masks.
        folder: ``<root>/<protocol>/<step>``; it receives the two files, which are
            written anew.
        thresholds: Background scores to try.

    Returns:
        Text of several lines.

    Raises:
        UserError: See :func:`eval_pseudo_labels`; or a file cannot be written.
    """
    folder = Path(folder)
    outputs = [folder / 'sweep.json', folder / 'sweep.png']
    check_outputs(outputs, dataset.input_files(), own=True)
    result = eval_pseudo_labels(dataset, folder, thresholds)
    files = PseudoLabelFiles(folder)
    meta = files.read_meta()
    title = f'{result["set"]}: {result["images"]} of {result["of"]} images, stage {result["stage"]}'
    labels = result['labels']
    lines = [title]
    other_classes = len(result['new']) < len(result['classes']) - 1
    if other_classes:
        lines.append(f'new in step {meta["step"]}: {", ".join(result["new"])}')
    if result['sweep']:
        lines.append(sweep_table(result['sweep'], with_new=other_classes))
    else:
        lines.append('no sweep: there are no scores, only label maps')
    new = f'new classes {number(labels["new"])}, ' if other_classes else ''
    lines.append(
        f'labels as written: background {number(labels["iou"][0])}, {new}classes '
        f'{number(labels["classes"])}, all {number(labels["all"])}, uncertain pixels '
        f'{number(labels["uncertain"])} %'
    )
    write_atomically(folder / 'sweep.json', json.dumps(result, indent=1) + '\n')
    rule = meta.get('bg', {})
    threshold = rule.get('value') if rule.get('mode') == 'const' else None
    if result['sweep']:
        drawn = draw_sweep(result['sweep'], title, folder / 'sweep.png', threshold)
        lines.append(
            f"written to '{folder}': sweep.json"
            + (
                ', sweep.png'
                if drawn
                else ('; no plot: it needs matplotlib (python -m pip install matplotlib)')
            )
        )
    count, expected = count_made(files, dataset)
    if count < expected:
        lines.append(
            f'incomplete: {count} of {expected} images of the step have pseudo-labels; '
            'incseg make-pseudo-labels --resume makes the rest'
        )
    return '\n'.join(lines)


def check_classes(files: PseudoLabelFiles, dataset: Any) -> None:
    """Refuse pseudo-labels whose dataset ids stand for other classes in a data set.

    Args:
        files: The pseudo-labels, whose ``meta.json`` names their classes.
        dataset: A :class:`SegDataset`.

    Raises:
        InvalidInputError: Naming both data sets and the first such class.
        MissingFileError: There is no ``meta.json``.
    """
    meta = files.read_meta()
    names = dataset.metainfo['classes']
    for i, name in zip(meta['ids'], meta.get('classes', [])):
        own_name = names[i] if i < len(names) else None
        if name != own_name:
            raise InvalidInputError(
                f"the pseudo-labels in '{files.folder}' are of the data set "
                f'{meta.get("dataset", "unknown")}, where {i} is {name}; in the '
                f'{type(dataset).__name__} of the config it is {own_name or "no class"}: take a '
                'config of their data set'
            )


def new_ids(meta: dict[str, Any]) -> list[int]:
    """Return the dataset ids that are new in the step of pseudo-labels.

    Args:
        meta: Content of their ``meta.json``; if it has no steps, all its ids are returned.
    """
    steps, step = (meta.get('protocol') or {}).get('steps'), meta.get('step')
    if steps is None or step is None:
        return list(meta['ids'])
    return [i for i in meta['ids'] if i in steps[step]]


def count_made(files: PseudoLabelFiles, dataset: Any) -> tuple[int, int]:
    """Count the images of a step with a label map, and all images of the step.

    The images of the step are listed in ``image_labels.json``; without that file both numbers
    are that of the images with a label map.

    Args:
        files: The pseudo-labels.
        dataset: The :class:`SegDataset`; images that it does not have are not counted.

    Raises:
        InvalidInputError: That file is damaged.
    """
    labelled = {name for name in dataset.image_ids if files.label_path(name).is_file()}
    path = files.folder / 'image_labels.json'
    if not path.is_file():
        return len(labelled), len(labelled)
    try:
        listed = set(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInputError(f"'{path}' cannot be read ({error})") from error
    expected = listed & set(dataset.image_ids)
    return len(expected & labelled), len(expected)
