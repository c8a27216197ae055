"""How good pseudo-labels are, at every background threshold."""
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from incseg.atomic_file import write_atomically
from incseg.datasets import LoadImage, LoadLabels, PseudoLabelFiles
from incseg.datasets.label_reader import VOID
from incseg.engine.pseudo_label_meta import check_classes, count_made, new_ids
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.confusion import confusion_matrix, iou_per_class
from incseg.evaluation.conventions import mean
from incseg.evaluation.report import number
from incseg.evaluation.sweep_report import draw_sweep, sweep_table
from incseg.evaluation.threshold_sweep import ThresholdSweep
from incseg.protocols.progress import Progress

THRESHOLDS = tuple(round(.01 * i, 2) for i in range(100))


def eval_pseudo_labels(
    dataset: Any, folder: str | Path, thresholds: Sequence[float] = THRESHOLDS,
    num_threads: int = 4,
) -> dict[str, Any]:
    """Compare a step's pseudo-labels with the masks.

    The classes are those of ``meta.json``; all others count as background, as
    the network that made the labels saw them.  Void is left out.  The scores
    are read once for all thresholds.

    Args:
        dataset: a :class:`SegDataset`; those of its images count that have a
            mask and pseudo-labels.
        folder: ``<root>/<protocol>/<step>``.
        thresholds: background scores to try.
        num_threads: files that are read at a time.

    Returns:
        ``{set, images, of, stage, classes, new, sweep, labels}``: name of the
        set, how many images of how many, which refinement made the scores,
        names of the classes, the background first, and of those that are new in
        the step, :meth:`ThresholdSweep.rows` (empty without scores), and of the
        PNGs ``{iou, classes, all, uncertain}``, in percent; uncertain pixels
        are left out of their IoU.  Rows and PNGs also have ``new``, the mean
        IoU of the new classes.

    Raises:
        MissingFileError: no image of the data set has both.
        InvalidInputError: a file is damaged, or has an id that ``meta.json``
            does not name; or the labels are of another data set.
    """
    files = PseudoLabelFiles(folder)
    meta = files.read_meta()
    check_classes(files, dataset)
    labelled = dataset.has_mask
    chosen = [i for i, image_id in enumerate(dataset.image_ids)
              if labelled[i] and files.label_path(image_id).is_file()]
    name = f'{type(dataset).__name__} {"+".join(dataset.splits)}'
    if not chosen:
        raise MissingFileError(
            f"none of the {labelled.sum()} images of {name} with a mask has a PNG in "
            f"'{files.folder}/labels'")
    ids = list(meta['ids'])
    with_scores = files.score_path(dataset.image_ids[chosen[0]]).is_file()
    sweep = ThresholdSweep(len(ids) + 1, thresholds)
    matrix = torch.zeros(len(ids) + 1, len(ids) + 1, dtype=torch.int64)
    uncertain = known = 0

    def read(index: int) -> tuple[np.ndarray, ...]:
        return _read(dataset, index, files, ids, with_scores)
    with ThreadPoolExecutor(num_threads) as pool, closing(
            Progress(len(chosen), f'evaluating {name}', True)) as bar:
        for truth, label, *best in pool.map(read, chosen):
            if best:
                sweep.add(truth, *best)
            unsure = (label == VOID) & (truth != VOID)
            uncertain, known = uncertain + int(unsure.sum()), known + int((truth != VOID).sum())
            truth = np.where(unsure, VOID, truth)
            label = np.where(truth == VOID, 0, label)
            matrix += confusion_matrix(
                torch.from_numpy(label), torch.from_numpy(truth), len(ids) + 1)
            bar.update(1)
    iou = iou_per_class(matrix)
    names = dataset.metainfo['classes']
    new = new_ids(meta)
    rows = sweep.rows() if with_scores else []
    labels = dict(iou=iou, classes=mean(iou[1:]), all=mean(iou),
                  uncertain=100 * uncertain / known if known else None)
    for row in (*rows, labels):
        row['new'] = mean([row['iou'][1 + ids.index(i)] for i in new])
    return dict(
        set=name, images=len(chosen), of=len(dataset),
        stage=(meta.get('refine') or {}).get('type', 'unknown'),
        classes=['background', *(names[i] for i in ids)], new=[names[i] for i in new],
        sweep=rows, labels=labels)


def _read(dataset: Any, index: int, files: PseudoLabelFiles, ids: list[int],
          with_scores: bool) -> tuple[np.ndarray, ...]:
    """Truth, label and, with scores, best class and score of one image, all uint8 ``(H, W)``."""
    info = dataset.get_data_info(index)
    place = np.zeros(256, np.uint8)
    place[ids] = np.arange(1, len(ids) + 1)
    place[VOID] = VOID
    info['label_lut'] = place
    truth = LoadLabels().transform(LoadImage().transform(info))['gt_seg_map']
    label = files.read_label(info['image_id'], ids)
    if label.shape != truth.shape:
        raise InvalidInputError(
            f"pseudo-label '{files.label_path(info['image_id'])}' is {label.shape[0]} x "
            f'{label.shape[1]}, its mask {truth.shape[0]} x {truth.shape[1]} (height x width); '
            'allowed is the same size')
    if not with_scores:
        return truth, place[label]
    found = files.read_scores(info['image_id'], ids)
    kept = found.ids != 0  # without the map of the background, whose place the threshold takes
    if not kept.any():
        nothing = np.zeros_like(truth)
        return truth, place[label], nothing, nothing
    scores = np.rint(found.full_size()[kept] * 255).astype(np.uint8)
    return truth, place[label], place[found.ids[kept][scores.argmax(0)]], scores.max(0)


def report_pseudo_labels(dataset: Any, folder: str | Path, thresholds: Sequence[float]) -> str:
    """Evaluate, write ``sweep.json`` and ``sweep.png`` into the folder, and say what was found."""
    folder = Path(folder)
    found = eval_pseudo_labels(dataset, folder, thresholds)
    files = PseudoLabelFiles(folder)
    meta = files.read_meta()
    title = (f'{found["set"]}: {found["images"]} of {found["of"]} images, '
             f'stage {found["stage"]}')
    labels = found['labels']
    lines = [title]
    other_classes = len(found['new']) < len(found['classes']) - 1
    if other_classes:
        lines.append(f'new in step {meta["step"]}: {", ".join(found["new"])}')
    if found['sweep']:
        lines.append(sweep_table(found['sweep'], with_new=other_classes))
    else:
        lines.append('no sweep: there are no scores, only label maps')
    new = f'new classes {number(labels["new"])}, ' if other_classes else ''
    lines.append(
        f'labels as written: background {number(labels["iou"][0])}, {new}classes '
        f'{number(labels["classes"])}, all {number(labels["all"])}, uncertain pixels '
        f'{number(labels["uncertain"])} %')
    write_atomically(folder / 'sweep.json', json.dumps(found, indent=1) + '\n')
    rule = meta.get('bg', {})
    used = rule.get('value') if rule.get('mode') == 'const' else None
    if found['sweep']:
        drawn = draw_sweep(found['sweep'], title, folder / 'sweep.png', used)
        lines.append(f"written to '{folder}': sweep.json" + (', sweep.png' if drawn else (
            '; no plot: it needs matplotlib (python -m pip install matplotlib)')))
    made, wanted = count_made(files, dataset)
    if made < wanted:
        lines.append(f'incomplete: {made} of {wanted} images of the step have pseudo-labels; '
                     'make_pseudo_labels.py --resume makes the rest')
    return '\n'.join(lines)
