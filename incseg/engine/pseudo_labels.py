import hashlib
import json
from contextlib import closing
from typing import Any

import numpy as np
from mmengine.dist import barrier, get_rank, get_world_size, is_main_process

from incseg.datasets import PseudoLabelFiles, write_image_labels
from incseg.datasets.rank_zero import on_rank_zero
from incseg.engine.alone_in import alone_in
from incseg.engine.pseudo_label_maker import PseudoLabelMaker
from incseg.errors import InvalidInputError
from incseg.protocols.progress import Progress


def make_pseudo_labels(
    maker: PseudoLabelMaker, dataset: Any, indices: np.ndarray, labels: np.ndarray,
    meta: dict[str, Any], resume: bool = False, progress: bool = True,
) -> int:
    """Make the pseudo-labels of a step's images; several processes share them.

    ``meta.json``, with a digest of what the images may show, and
    ``image_labels.json``, which says it, are written first.  Every process of the group calls this.

    Args:
        maker: what makes the files of one image.
        dataset: a :class:`SegDataset`.
        indices: which of its images.
        labels: bool ``(len(dataset), C + 1)``: the classes that each image may
            show.
        meta: what ``meta.json`` says besides its version, the rule of the
            background and the digest; its ``ids`` are the classes.
        resume: whether whole files of an interrupted run are kept.
        progress: whether to report on stderr.

    Returns:
        How many images this process made.

    Raises:
        InvalidInputError: pseudo-labels are there already, or, resuming, were
            made in another way.
        UserError: an image cannot be read, or a file not written.
    """
    files = maker.files
    image_ids = dataset.image_ids
    meta = json.loads(json.dumps({  # as it is read back
        **meta, 'bg': maker.rule.as_meta(),
        'image_labels_sha': _digest([image_ids[i] for i in indices], labels[indices])}))
    with alone_in(files.folder):
        on_rank_zero(_begin, files=files, meta=meta, resume=resume)
        if is_main_process():
            write_image_labels(
                files.folder / 'image_labels.json', [image_ids[i] for i in indices],
                labels[indices], dataset.metainfo['classes'])
        own = [int(i) for i in indices[get_rank()::get_world_size()]]
        if resume:
            own = [i for i in own if not files.is_valid(
                image_ids[i], maker.score_stride > 0, meta['ids'])]
        with closing(Progress(len(own), _title(files), progress and is_main_process())) as bar:
            maker.make(dataset, own, labels, bar.update)
        barrier()
    return len(own)


def _begin(files: PseudoLabelFiles, meta: dict[str, Any], resume: bool) -> None:
    """Write ``meta.json``, unless other pseudo-labels are in the way."""
    if files.meta_path.exists():
        if not resume:
            raise InvalidInputError(
                f"'{files.folder}' already holds pseudo-labels: pass --resume to complete them, "
                'or another --out')
        found = files.read_meta()
        for key, value in meta.items():
            if found.get(key) != value:
                raise InvalidInputError(
                    f"pseudo-labels in '{files.folder}' were made with {key}={found.get(key)!r}, "
                    f'now it is {value!r}: remove that folder to make them anew, or, with '
                    'make_pseudo_labels.py, pass another --out')
    files.write_meta(meta)


def _digest(image_ids: list[str], labels: np.ndarray) -> str:
    """SHA-256 of what images may show."""
    digest = hashlib.sha256(json.dumps([image_ids, labels.shape]).encode())
    digest.update(np.ascontiguousarray(labels, np.bool_).tobytes())
    return digest.hexdigest()


def _title(files: PseudoLabelFiles) -> str:
    share = f', process 1 of {get_world_size()}' if get_world_size() > 1 else ''
    return f'pseudo-labels {files.folder.parent.name} step {files.folder.name}{share}'
