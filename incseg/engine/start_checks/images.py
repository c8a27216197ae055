"""Checks of training and test images before the first step: what a run would find hours later."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from incseg.constants import VOID
from incseg.datasets import IncrementalDataset, SegDataset
from incseg.datasets.steps.incremental_dataset import remark_on_ids
from incseg.engine.recipe.data import dataset_config
from incseg.engine.recipe.experiment import Experiment
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS
from incseg.utils.rules import expected

#: how many names a line has
MOST = 8


def check_images(experiment: Experiment, datasets: Mapping[int, Any]) -> None:
    """Check the images and masks of some steps and of their tests, and warn of what may be meant.

    The first process alone calls this.  Masks are read once (see
    :class:`incseg.protocols.ClassIndex`), and so are heads and ends of all files.

    Args:
        experiment: The experiment.
        datasets: The training images of each step that is to be trained, by step.

    Raises:
        MissingFileError: A file is missing.
        InvalidInputError: A file is broken, a mask has a foreign id or another size than its
            image, a class has images but none in its step, or a test shows no class.

    Warns:
        UserWarning: Of masks without an image, of classes without an image, and of test images
            that are training images.
    """
    sources: list[SegDataset] = []
    for dataset in datasets.values():
        source = getattr(dataset, 'dataset', dataset)
        if isinstance(source, SegDataset) and not any(source is known for known in sources):
            sources.append(source)
            check_sound(source)
    for k, dataset in datasets.items():
        if isinstance(dataset, IncrementalDataset):
            check_new_classes(k, dataset)
    built: list[tuple[Any, SegDataset]] = []
    last: dict[int, int] = {}  # of each test set, the last step that it tests
    for k in sorted(datasets):
        if not experiment.sources.has_test(k):
            continue
        config = experiment.sources.data(k, 'test')
        place = next((i for i, (known, _) in enumerate(built) if known == config), len(built))
        if place == len(built):
            built.append((config, DATASETS.build(dict(config))))
        last[place] = k
    for place, k in last.items():
        check_test(experiment, k, built[place][1])
    warn_of_known_images(list(datasets.values()), [source for _, source in built])


def check_sound(source: SegDataset) -> None:
    """Refuse broken files, wrong sizes and foreign ids; warn of masks without an image.

    Args:
        source: A whole data set.
    """
    source.check_files()
    source.presence()
    unused = source.unused_label_maps()
    if unused:
        warnings.warn(
            f'{len(unused)} label files of {name_of(source)} belong to no image and are not used, '
            f'for instance {unused[0]!r}: put their images there, or remove them'
        )


def check_new_classes(k: int, dataset: IncrementalDataset) -> None:
    """Refuse a step in which a new class has no image, while other images show it.

    Where no image of the whole data set shows it, the list of classes may be meant for more
    images than are there: that is a warning.

    Args:
        k: The step.
        dataset: Its images.
    """
    labels, source = dataset.image_labels, dataset.dataset
    presence = source.presence() if labels is None else labels
    new = list(dataset.protocol.new(k))
    shown = presence[dataset.indices].any(0)
    lacking = [i for i in new if not shown[i]]
    elsewhere = [i for i in lacking if presence[:, i].any()]
    names = source.metainfo['classes']
    if elsewhere:
        setting = getattr(dataset.protocol, 'setting', None)
        reason = (
            'drawn for other steps, whose classes they show too'
            if setting == 'partitioned'
            else 'left out, as they also show classes of later steps'
        )
        raise InvalidInputError(
            f'step {k} has no training image with {listed(names[i] for i in elsewhere)}: in '
            f"setting {setting!r} all images that show it are {reason}; use setting='overlap', "
            'another class_order, or larger steps'
        )
    if lacking:
        warnings.warn(
            f'step {k} learns {listed(names[i] for i in lacking)} from no image: none of '
            f'{name_of(source)} shows it, so its IoU means nothing; add images, or leave it out '
            f'of the classes{remark_on_ids(source, presence)}'
        )


def check_test(experiment: Experiment, k: int, source: Any = None) -> None:
    """Check the images on which a step is tested, as :func:`check_images` does.

    Args:
        experiment: The experiment.
        k: The step.
        source: The whole data set; built from the config by default.

    Raises:
        MissingFileError: A file is missing.
        InvalidInputError: A file is broken, a mask has a foreign id or another size than its
            image, the classes are not those of the step, or no image shows one of them.
    """
    config = dataset_config(experiment, k, 'test')
    test = DATASETS.build(config if source is None else dict(config, dataset=source))
    if not isinstance(test, IncrementalDataset):
        return
    check_sound(test.dataset)
    unlabelled = np.flatnonzero(~test.dataset.has_mask)
    if len(unlabelled):
        raise MissingFileError(
            f'{len(unlabelled)} of the {len(test.dataset)} test images of {name_of(test.dataset)} '
            f'have no label map, for instance {test.dataset.image_ids[int(unlabelled[0])]!r}: no '
            'score can be computed; give each a mask, and take partly_labelled out of data.test'
        )
    classes = [str(name) for name in test.metainfo['classes']]
    if classes != experiment.classes_at(k):
        raise expected(
            f'the list of classes of the test of step {k}',
            classes,
            f'{experiment.classes_at(k)}, as in training',
        )
    shown = test.label_lut[np.flatnonzero(test.dataset.presence().any(0))]
    tested = {*test.label_lut[1 : test.dataset.num_classes + 1].tolist()}  # others: elsewhere
    annotated = [(i, name) for i, name in enumerate(classes) if i and i in tested]
    lacking = [name for i, name in annotated if i not in {*shown.tolist()} - {VOID}]
    if not test.dataset.presence()[:, 1:].any():
        raise InvalidInputError(
            f'the label maps of all {len(test)} images of {name_of(test.dataset)} hold no class, '
            'only background (0) or void (255), so no score can be computed.  If 255 marks an '
            'object in them (binary masks), write the id of its class instead'
        )
    if len(lacking) == len(annotated):
        raise InvalidInputError(
            f'no image of {name_of(test.dataset)} shows one of the classes of the test '
            f'({listed(lacking)}), so no score can be computed: name another split in '
            f'data.test.split, or other masks{remark_on_ids(test.dataset)}'
        )
    if lacking:
        warnings.warn(
            f'no image of {name_of(test.dataset)} shows {listed(lacking)}: there is no IoU of '
            'such a class, and means leave it out'
        )


def warn_of_known_images(datasets: Sequence[Any], tests: Sequence[Any]) -> None:
    """Warn of test images whose content is that of training images.

    Args:
        datasets: The training images of the steps.
        tests: The whole data sets on which they are tested.
    """
    known: set[bytes] = set()
    for dataset in datasets:
        source = getattr(dataset, 'dataset', dataset)
        if isinstance(source, SegDataset):
            indices = getattr(dataset, 'indices', None)
            known |= {*source.image_digests(indices)}
    for test in tests:
        if not isinstance(test, SegDataset):
            continue
        digests = test.image_digests()
        same = [i for i, digest in enumerate(digests) if digest in known]
        if same:
            warnings.warn(
                f'{len(same)} of the {len(digests)} images of {name_of(test)} are training '
                f'images too, by their content, for instance {test.image_ids[same[0]]!r}: scores '
                'on them do not show how the network does on new images; name another split in '
                'data.test.split'
            )


def name_of(source: SegDataset) -> str:
    """Return a data set's name for messages: its class, and its splits."""
    return f'{type(source).__name__} {"+".join(source.splits)}'


def listed(names: Any) -> str:
    """Return names in one line, the first few of them."""
    texts = [repr(str(name)) for name in names]
    more = f' and {len(texts) - MOST} more' if len(texts) > MOST else ''
    return ', '.join(texts[:MOST]) + more
