"""The 10,582 training images of "VOC 2012 augmented"."""
import logging
from pathlib import Path

from mmengine.logging import print_log

from incseg.datasets.image_lists import at_split, read_id_list
from incseg.errors import MissingFileError

STANDARD_SIZE = 10582


def voc_aug_ids(ann_file: str, data_root: str, sbd_root: str | None,
                how_to_get: str) -> list[str]:
    """Ids of ``train_aug.txt``, or the same set from the lists it was made of.

    The set is (VOC ``train`` and all that SBD annotates) without VOC ``val``,
    which SBD annotates too.  SBD's part comes from ``aug.txt``, as
    mmsegmentation's converter writes it, or from SBD's own ``train.txt`` and
    ``val.txt``.

    Args:
        ann_file: path of the lists with ``{split}`` for the name.
        data_root: folder of VOC 2012.
        sbd_root: folder of SBD's lists, by default
            ``<data_root>/../../benchmark_RELEASE/dataset``.
        how_to_get: ends the message of an error.

    Returns:
        the ids, in the order of ``train_aug.txt`` or else sorted; a warning
        says so if there are not 10,582.

    Raises:
        MissingFileError: neither is there; names every list looked for.
    """
    complete = Path(at_split(ann_file, 'train_aug'))
    if complete.exists():
        return read_id_list(str(complete), how_to_get)
    aug = Path(at_split(ann_file, 'aug'))
    sbd = Path(sbd_root) if sbd_root else Path(data_root, '../../benchmark_RELEASE/dataset')
    own = [sbd / 'train.txt', sbd / 'val.txt']
    parts = [aug] if aug.exists() else own
    if not all(part.exists() for part in parts):
        raise MissingFileError(
            f"image list '{complete}' does not exist, nor can it be made from '{aug}' or from "
            f"'{own[0]}' and '{own[1].name}'; give it, or name SBD's folder with sbd_root; "
            f'{how_to_get}')
    train, val = (read_id_list(at_split(ann_file, s), how_to_get) for s in ('train', 'val'))
    ids = set(train).union(*(read_id_list(str(part), how_to_get) for part in parts)) - set(val)
    if len(ids) != STANDARD_SIZE:
        print_log(
            f'train_aug made from {", ".join(map(str, parts))} has {len(ids)} images instead of '
            f'the usual {STANDARD_SIZE}: results will not compare with published ones',
            logger='current', level=logging.WARNING)
    return sorted(ids)
