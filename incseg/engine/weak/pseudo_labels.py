"""The pseudo-labels of a step, made from a weak experiment's config and SEAM's checkpoint."""

import hashlib
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier, get_world_size, is_main_process

from incseg.datasets import (
    BackgroundRule,
    PseudoLabelFiles,
    export_coco,
    visible_labels,
    write_image_labels,
)
from incseg.engine.recipe.experiment import Experiment, check_step
from incseg.engine.recipe.identity import file_sha, named_files
from incseg.engine.weak.cam_inference import CamInference
from incseg.engine.weak.label_settings import SeamSettings
from incseg.engine.weak.pseudo_label_maker import PseudoLabelMaker
from incseg.engine.weak.seam_config import weak_training_set
from incseg.engine.weak.seam_store import describe_steps, load_seam, own_ids
from incseg.errors import InvalidInputError
from incseg.models import SEAM
from incseg.models.batch_norm_folding import fold_batch_norm
from incseg.protocols import Protocol
from incseg.registry import DATASETS, MODELS, TASK_UTILS
from incseg.utils.distributed import on_rank_zero, share_out
from incseg.utils.files import remove_leftovers
from incseg.utils.locks import exclusive_folder
from incseg.utils.precision import gpu_arithmetic
from incseg.utils.progress import Progress


def pseudo_label_job(
    experiment: Experiment,
    checkpoint: str | Path,
    out: str | Path,
    step: int | None = None,
    resume: bool = False,
    coco: bool = False,
    protocol: Protocol | None = None,
) -> PseudoLabelFiles:
    """Make the pseudo-labels of one step with a trained SEAM network.

    All processes of a group call this and share the images.

    Args:
        experiment: The experiment, with ``seam`` in its config.
        checkpoint: The network's ``seam.pth``.
        out: The root; ``<protocol>/<step>`` below it receives the files.
        step: Number of the step; by default the network's own.  A network of scope ``'all'``
            has none.
        resume: Whether to complete the labels of an interrupted run.
        coco: Whether to write ``coco.json`` as well.
        protocol: The protocol whose step it is; by default the one that the
            experiment trains.

    Returns:
        The files.

    Raises:
        UserError: The config, the checkpoint or a file is not acceptable.
    """
    seam = SeamSettings.of(experiment.config)
    protocol = experiment.training_protocol if protocol is None else protocol
    model, seam_meta = load_seam(experiment, checkpoint)
    step = step_of(seam_meta, step, protocol, checkpoint)
    options = seam.inference
    dataset = DATASETS.build(weak_training_set(experiment))
    source = TASK_UTILS.build(seam.image_labels, default_args=dict(dataset=dataset))
    labels = source.labels(dataset.image_ids)
    # a single step trains on every image, also on images without a class
    indices = np.arange(len(dataset)) if protocol.num_steps == 1 else protocol.select(labels, step)
    files = PseudoLabelFiles.of_step(out, protocol.name, step)
    scales = [scale * experiment.config['image_scale'] for scale in options['scales']]
    optimise_for_inference(model)
    maker = PseudoLabelMaker(
        CamInference(model, scales, options['flip'], options['maps']),
        seam_meta['ids'],
        files,
        BackgroundRule.of(options['background'], 'seam.inference.background'),
        MODELS.build(seam.refine),
        uncertain=options['uncertain'],
        score_stride=options['score_stride'] if options['scores'] else 0,
        batch_size=options['batch_size'],
        num_threads=options['num_threads'],
    )
    meta = dict(
        dataset=experiment.config['data']['name'],
        protocol=describe_steps(protocol),
        step=step,
        **describe_network(seam_meta, experiment),
        **({} if maker.rule.mode != 'score' else dict(background=options['background'])),
        uncertain=options['uncertain'],
        scales=scales,
        flip=options['flip'],
        maps=options['maps'],
        refine=seam.refine,
        refine_sha=named_files(seam.refine),
        score_stride=maker.score_stride,
        tf32=experiment.tf32,
        ckpt_sha=file_sha(checkpoint),
        image_label_source=seam.image_labels,
    )
    visible = visible_labels(labels, protocol, step, seam_meta['scope'])
    with gpu_arithmetic(experiment.tf32, deterministic=experiment.deterministic):
        make_pseudo_labels(maker, dataset, indices, visible, meta, resume)
    if coco and is_main_process():
        export_coco(
            files,
            [dataset.image_ids[i] for i in indices],
            dataset.metainfo['classes'],
            files.folder / 'coco.json',
        )
    return files


def optimise_for_inference(model: SEAM) -> None:
    """Make a SEAM network faster for prediction, in place.

    Its BatchNorms are folded into convolutions; it moves to the GPU, if there is one, and to the
    channels-last layout, and gets no gradients any more.
    """
    fold_batch_norm(
        model,
        [name for name, _ in model.named_children()],
        lambda images: torch.cat([maps.flatten() for maps in model.cams(images)]),
    )
    model.to('cuda' if torch.cuda.is_available() else 'cpu')
    model.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]


def describe_network(meta: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """Return the entries of the labels' ``meta.json`` that describe the network.

    Args:
        meta: ``meta`` of the network's checkpoint.
        experiment: The experiment, which names the classes.
    """
    own = own_ids(meta)
    return dict(
        scope=meta['scope'],
        classes=experiment.names(tuple(own)),
        ids=own,
        pretrained=meta['pretrained'],
        init_from=meta.get('init_from'),
        seed=meta['seed'],
        negatives=meta.get('negatives'),
    )


def step_of(meta: dict[str, Any], step: int | None, protocol: Protocol, path: str | Path) -> int:
    """Return the number of the step whose pseudo-labels a network makes.

    Args:
        meta: ``meta`` of the network's checkpoint.
        step: The step that the user names, or None.
        protocol: The protocol whose step it is.
        path: The checkpoint, for messages.

    Raises:
        InvalidInputError: The network does not know the step's classes, or no step is
            named for a network of scope ``'all'``.
    """
    if step is None and meta['scope'] == 'all':
        raise InvalidInputError(
            f"checkpoint {path} knows the classes of all steps (scope 'all'): name the step "
            f'whose pseudo-labels to make, --step 0 to {protocol.num_steps - 1}'
        )
    if step is None:
        step = int(meta['step'])
    elif meta['scope'] == 'step' and step != meta['step']:
        raise InvalidInputError(
            f'--step is {step}, but checkpoint {path} knows only the classes of step {meta["step"]}'
        )
    check_step(step, protocol.num_steps, protocol.name)
    return step


def make_pseudo_labels(
    maker: PseudoLabelMaker,
    dataset: Any,
    indices: np.ndarray,
    labels: np.ndarray,
    meta: dict[str, Any],
    resume: bool = False,
    progress: bool = True,
) -> int:
    """Make the pseudo-labels of a step's images.

    Every process of the group calls this and makes its share.  ``image_labels.json``,
    with the classes that each image may show, and ``meta.json``, with a hash of
    them, are written first.

    Args:
        maker: Makes the files of one image.
        dataset: A :class:`SegDataset`.
        indices: Indices of its images.
        labels: bool ``(len(dataset), C + 1)``: the classes that each image may
            show.
        meta: Entries of ``meta.json`` in addition to its version, the rule of the
            background and the hash; its ``ids`` are the classes.
        resume: Whether to keep the complete files of an interrupted run.
        progress: Whether to report on stderr.

    Returns:
        Number of images that this process made.

    Raises:
        InvalidInputError: The folder already holds pseudo-labels and ``resume`` is
            false, or they were made with other settings, or nobody knows how.
        UserError: An image cannot be read, or a file cannot be written.
    """
    files = maker.files
    image_ids = dataset.image_ids
    meta = json.loads(
        json.dumps(
            {  # as it is read back
                **meta,
                'bg': maker.rule.as_meta(),
                'image_labels_sha': _digest([image_ids[i] for i in indices], labels[indices]),
            }
        )
    )
    with exclusive_folder(files.folder):
        on_rank_zero(_begin, files=files, meta=meta, resume=resume)
        if is_main_process():
            write_image_labels(
                files.folder / 'image_labels.json',
                [image_ids[i] for i in indices],
                labels[indices],
                dataset.metainfo['classes'],
            )
        _ = files.digests  # if it is damaged, it is said now, not taken for damaged labels

        def is_left(i: int) -> bool:
            scores = maker.score_stride > 0
            return not (resume and files.is_valid(image_ids[i], scores, meta['ids']))

        own, left = share_out([int(i) for i in indices], is_left)
        if left:
            on_rank_zero(files.open_again)
            files.__dict__.pop('digests', None)
        with closing(Progress(len(own), _title(files), progress and is_main_process())) as bar:
            maker.make(dataset, own, labels, bar.update)
        barrier()
        if left or not (files.folder / 'digests.json').is_file():
            on_rank_zero(lambda: files.write_digests(image_ids[i] for i in indices))
    return len(own)


def _begin(files: PseudoLabelFiles, meta: dict[str, Any], resume: bool) -> None:
    """Write ``meta.json``, unless the folder holds pseudo-labels made with other settings."""
    if files.meta_path.exists():
        if not resume:
            raise InvalidInputError(
                f"'{files.folder}' already holds pseudo-labels: pass --resume to complete them, "
                'or another --out'
            )
        before = files.read_meta()
        for key, value in meta.items():
            if before.get(key) != value:
                raise InvalidInputError(
                    f"pseudo-labels in '{files.folder}' were made with {key}={before.get(key)!r}, "
                    f'now it is {value!r}: remove that folder to make them anew, or, with '
                    'incseg make-pseudo-labels, pass another --out'
                )
    for name in () if files.meta_path.exists() else ('labels', 'scores', 'image_labels.json'):
        if (files.folder / name).exists():
            raise InvalidInputError(
                f"'{files.folder / name}' is there without a meta.json, so it is not known what "
                'made it: nothing was written; pass another --out'
            )
    remove_leftovers(files.folder)
    files.write_meta(meta)


def _digest(image_ids: list[str], labels: np.ndarray) -> str:
    """Return the SHA-256 of the classes that images may show.

    Args:
        image_ids: Ids of the images.
        labels: Bool ``(images, C + 1)``, column = dataset id.
    """
    digest = hashlib.sha256(json.dumps([image_ids, labels.shape]).encode())
    digest.update(np.ascontiguousarray(labels, np.bool_).tobytes())
    return digest.hexdigest()


def _title(files: PseudoLabelFiles) -> str:
    """Return the name of the work in the progress line."""
    share = f', process 1 of {get_world_size()}' if get_world_size() > 1 else ''
    return f'pseudo-labels {files.folder.parent.name} step {files.folder.name}{share}'
