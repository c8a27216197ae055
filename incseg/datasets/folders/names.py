"""What the names of folders and lists say: images, masks, and the split."""

import re

#: words of folders of images and of masks; a folder that has both is one of masks
IMAGES = {
    *('images', 'image', 'imgs', 'img', 'jpegimages', 'photos', 'photo', 'pictures', 'rgb'),
    *('leftimg8bit', 'input', 'inputs', 'imagenes', 'bilder'),
}
MASKS = {
    *('labels', 'label', 'masks', 'mask', 'ann', 'anns', 'annotation', 'annotations', 'annot'),
    *('gt', 'gtfine', 'groundtruth', 'truth', 'target', 'targets', 'seg', 'segs', 'semantic'),
    *('segmentation', 'segmentations', 'segmentationclass', 'labelmaps', 'trimaps'),
}
#: words of folders whose pictures are no masks of classes, nor images
NEITHER = {
    *('segmentationobject', 'instance', 'instances', 'visualization', 'visualisation', 'vis'),
    *('overlay', 'overlays', 'preview', 'previews', 'thumbnails', 'depth', 'disparity'),
    *('segmentationclassvisualization', 'segmentationobjectvisualization', 'segmentationobjectpng'),
}
#: names of the splits, the usual one first
TRAIN = ('train', 'training', 'trn')
VAL = ('val', 'valid', 'validation', 'dev')
TEST = ('test', 'testing')
SPLITS = (*TRAIN, *VAL, *TEST)
_BEGINS = re.compile(rf'({"|".join(sorted(SPLITS, key=len, reverse=True))})(\d*)')
#: the end of a mask's name beside its image
MASK_TAIL = re.compile(
    r'[_\-. ](masks?|labels?|labelids|gt|seg|segmentation|ann|annotation|target|trimap|l|m)'
    r'(_?\d+)?$',
    re.IGNORECASE,
)


def words_of(name: str) -> set[str]:
    """Return the words of a folder's name in small letters: ``{'train', 'masks'}``."""
    low = name.lower()
    words = {low, *re.split(r'[_\-. ]+', low)}
    if (begins := _BEGINS.match(low)) and low[begins.end() :] in IMAGES | MASKS:  # trainannot
        words |= {begins[1], low[begins.end() :]}
    if low.startswith('segmentationclass') and low not in NEITHER:
        words.add('segmentationclass')
    return words


def role_of(name: str) -> str | None:
    """Return what a folder holds by its name: 'images', 'masks', 'neither', or None if unknown."""
    words = words_of(name)
    if words & NEITHER:
        return 'neither'
    return 'masks' if words & MASKS else 'images' if words & IMAGES else None


def split_of(name: str) -> str | None:
    """Return the split that a folder or list is of, as its name has it (``'train2017'``), or None.

    It is the whole name, or one part of it between ``_`` and ``-``, or its beginning
    (``trainannot``).
    """
    for part in (name, *re.split(r'[_\-. ]+', name)):
        begins = _BEGINS.match(part.lower())
        if begins and part.lower()[begins.end() :] in {'', *IMAGES, *MASKS}:
            return part[: begins.end()]
    return None


def of_kind(splits: list[str] | tuple[str, ...], kind: tuple[str, ...]) -> str | None:
    """Return the split of a kind, such as :data:`VAL`, among some splits; None if there is none."""
    for wanted in kind:
        for split in splits:
            if (begins := _BEGINS.match(split.lower())) and begins[1] == wanted:
                return split
    return None
