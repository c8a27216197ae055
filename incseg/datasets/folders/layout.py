"""The layout of a folder of images and masks, found by looking at its names."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from incseg.datasets.folder_files import files_below
from incseg.datasets.folders.endings import endings_of, masks_beside, pictures_of
from incseg.datasets.folders.json_files import Places, json_files, named_json
from incseg.datasets.folders.names import SPLITS, TRAIN, of_kind, role_of, split_of
from incseg.datasets.image_lists import at_split, check_root
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.rules import any_of

HOW = 'expected images and masks, as images/a.jpg and masks/a.png'
#: of several folders of masks, the one of these names counts: it has the masks of the others too
_BETTER = ('SegmentationClassAug', 'SegmentationClassPNG')


@dataclass(frozen=True)
class Layout:
    """Where the images and masks of a folder lie.

    Attributes:
        images: Folder of the images below the root; ``{split}`` stands for the split.
        masks: That of the masks, or a JSON file in COCO's form; None for no masks.
        image_suffixes: Endings of images.
        mask_suffix: Ending of masks.
        splits: Names of the splits that have masks; none where all images lie together.
        unlabelled: Names of splits without masks.
        lists: Files that list the images of each split, below the root; '' without such files.
    """

    images: str
    masks: str | None
    image_suffixes: tuple[str, ...] = ('.jpg', '.jpeg', '.png')
    mask_suffix: str = '.png'
    splits: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    lists: str = ''

    @property
    def is_coco(self) -> bool:
        """Whether the masks are objects of a JSON file."""
        return self.masks is not None and self.masks.endswith('.json')

    @property
    def together(self) -> bool:
        """Whether masks lie in the folder of the images."""
        return self.masks == self.images

    def in_words(self) -> str:
        """Return the layout in words: ``images/{split}, masks/{split} (train, val)``."""
        images = f'{self.images}/' if self.images else 'the folder itself'
        names = f'images in {images}, masks in {self.masks}/'
        if self.masks is None:
            names = f'images in {images}, no masks'
        elif self.together:
            names = f'images and masks in {images}, masks end with {self.mask_suffix}'
        elif self.is_coco:
            names = f'images in {images}, masks from {self.masks}'
        elif not self.mask_suffix.startswith('.'):
            names += f'*{self.mask_suffix}'
        return names + (f', splits {", ".join(self.splits)}' if self.splits else ', no splits')


def find_layout(
    root: str, images: str = 'auto', masks: str | None = 'auto', follow: bool = False
) -> Layout:
    """Find the images and the masks of a folder.

    Args:
        root: The folder.
        images: Folder of the images below it, may have ``{split}``; ``'auto'`` looks for it.
        masks: The same for the masks, or a JSON file in COCO's form; None for no masks.
            Absolute paths of images and masks below the root say that nothing else is listed.
        follow: Whether links below the root may lead to anywhere.

    Raises:
        MissingFileError: The folder is missing or empty, or has no images or no masks.
        InvalidInputError: It is a file; or two folders may be meant.
    """
    check_root(root, HOW)
    if os.path.isabs(images) and os.path.isabs(masks or ''):
        images, masks, names = _of_paths(root, images, str(masks), follow)
    else:
        names = files_below(Path(root), root, follow)
    by_folder: dict[str, list[str]] = defaultdict(list)
    for name in pictures_of(names):
        by_folder[os.path.dirname(name)].append(name)
    if not by_folder:
        raise MissingFileError(f'folder {root!r} has no pictures ({len(names)} files); {HOW}')
    found = _by_role(by_folder)
    if images != 'auto':
        found['images'] = {images: _given(root, 'images', images, by_folder)}
    if masks is None:
        return _without_masks(root, found)
    if masks.endswith('.json'):
        return _of_json(root, {masks: named_json(root, masks, names)}, found)
    if masks != 'auto':
        found['masks'] = {masks: _given(root, 'masks', masks, by_folder)}
    elif not found['masks']:
        jsons = json_files(root, names)
        return _of_json(root, jsons, found) if jsons else _beside(root, found, by_folder)
    return _of_folders(root, found, by_folder, names)


def _of_paths(root: str, images: str, masks: str, follow: bool) -> tuple[str, str, set[str]]:
    """Return images and masks relative to the root, and the files in both."""
    names: set[str] = set()
    relative = []
    for path in (images, masks):
        inside = os.path.relpath(path, os.path.abspath(root)).replace(os.sep, '/')
        relative.append('' if inside == '.' else inside)
        if path.endswith('.json'):
            names.add(inside)
            continue
        folder = relative[-1].partition('{split}')[0].rpartition('/')[0]
        folder = folder if '{split}' in path else relative[-1]
        below = files_below(Path(root, folder), root, follow)
        names |= {'/'.join(filter(None, (folder, name))) for name in below}
    return relative[0], relative[1], names


def _by_role(by_folder: Mapping[str, list[str]]) -> dict[str, Places]:
    """Return the folders of images, of masks, and of nobody knows what."""
    groups: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for folder in sorted(by_folder):
        parts = folder.split('/') if folder else []
        roles, splits = [*map(role_of, parts)], [*map(split_of, parts)]
        if 'neither' in roles:
            continue
        role = next((each for each in reversed(roles) if each), 'unknown')
        at = next((i for i, split in enumerate(splits) if split), None)
        split = '' if at is None else splits[at] or ''
        if at is not None:
            parts[at] = parts[at].replace(split, '{split}', 1)
        told = [i for i, each in enumerate(roles) if each] + ([] if at is None else [at])
        length = max(told) + 1 if told else 0
        template, rest = '/'.join(parts[:length]), '/'.join(parts[length:])
        groups[role, template].append((split, rest, folder))
    found: dict[str, Places] = dict(images={}, masks={}, unknown={})
    for (role, template), entries in groups.items():
        shared = os.path.commonpath([rest for _, rest, _ in entries])
        place = found[role].setdefault('/'.join(filter(None, (template, shared))), {})
        for split, _, folder in entries:
            place.setdefault(split, []).append(folder)
    return found


def _given(
    root: str, key: str, template: str, by_folder: Mapping[str, list[str]]
) -> dict[str, list[str]]:
    """Return the folders of a template that the user names, by split."""
    template = template.strip('/')
    form = re.escape(template).replace(re.escape('{split}'), '([^/]+)')
    pattern = re.compile(rf'{form}(/.*)?' if template not in ('', '.') else '.*')
    place: dict[str, list[str]] = {}
    for folder in by_folder:
        if match := pattern.fullmatch(folder):
            split = match[1] if '{split}' in template else ''
            place.setdefault(split, []).append(folder)
    if not place:
        raise MissingFileError(
            f'{key} is {template!r}, but {root!r} has no pictures there; folders with pictures: '
            f'{any_of(sorted(by_folder))}'
        )
    return place


def _of_folders(
    root: str,
    found: dict[str, Places],
    by_folder: Mapping[str, list[str]],
    names: set[str],
) -> Layout:
    masks = _one(root, 'masks', found['masks'])
    of_masks = found['masks'][masks]
    candidates = found['images'] or found['unknown']
    same = {each: place for each, place in candidates.items() if {*of_masks} & {*place}}
    images = _one(root, 'images', same or candidates)
    of_images = candidates[images]
    if '{split}' in masks and '{split}' not in images:
        raise InvalidInputError(
            f'folder {root!r} has splits of masks ({masks}) but not of images ({images}), '
            'expected the same splits of both'
        )
    splits = _ordered([s for s in of_images if s and (s in of_masks or '{split}' not in masks)])
    alone = _ordered([s for s in of_images if s and s not in splits])
    used = splits or ['']
    pictures = _below(images, used, of_images, by_folder)
    where = f'folder {root!r}'
    endings = endings_of(pictures, _below(masks, used, of_masks, by_folder), where)
    layout = Layout(images, masks, *endings, tuple(splits), tuple(alone))
    return layout if splits else _with_lists(layout, names)


def _below(
    template: str,
    splits: Sequence[str],
    place: Mapping[str, list[str]],
    by_folder: Mapping[str, list[str]],
) -> list[str]:
    """Return the names of pictures below the folders of some splits."""
    names = []
    for split in splits:
        folder = at_split(template, split)
        start = len(folder) + 1 if folder else 0
        for each in place.get(split, place.get('', [])):
            names += [name[start:] for name in by_folder[each]]
    return names


def _beside(root: str, found: dict[str, Places], by_folder: Mapping[str, list[str]]) -> Layout:
    """Return the layout of a folder in which masks lie beside their images."""
    candidates = {**found['unknown'], **found['images']}
    layouts = []
    for template, place in candidates.items():
        images, masks = masks_beside(_below(template, [*place], place, by_folder))
        if masks:
            endings = endings_of(images, masks, f'folder {root!r}')
            splits = tuple(_ordered([split for split in place if split]))
            layouts.append(Layout(template, template, *endings, splits))
    if not layouts:
        there = any_of(sorted(folder or '.' for folder in by_folder))
        raise MissingFileError(
            f'folder {root!r} has no masks: pictures lie in {there}; expected a folder labels/ or '
            "masks/ beside images/, names as a_mask.png beside a.jpg, or a JSON file in COCO's "
            'form; name another with masks=FOLDER (--masks)'
        )
    if len(layouts) > 1:
        raise _two(root, 'images and masks', [each.images or '.' for each in layouts])
    return layouts[0]


def _without_masks(root: str, found: dict[str, Places]) -> Layout:
    candidates = found['images'] or found['unknown']
    images = _one(root, 'images', candidates)
    splits = tuple(_ordered([split for split in candidates[images] if split]))
    return Layout(images, None, splits=splits)


def _one(root: str, role: str, places: Places) -> str:
    """Return the one folder of images or of masks."""
    better = [each for name in _BETTER for each in places if each.endswith(name)]
    if len(places) > 1 and not better:
        raise _two(root, role, sorted(places))
    if not places:
        raise MissingFileError(f'folder {root!r} has no {role}; {HOW}')
    return better[0] if better else next(iter(places))


def _two(root: str, role: str, names: Sequence[str]) -> InvalidInputError:
    key = 'masks' if role == 'masks' else 'images'
    return InvalidInputError(
        f'folder {root!r} has {len(names)} folders that may be those of {role}: '
        f'{", ".join(map(repr, names))}, expected one; say which with {key}={names[0]!r} '
        f'(--{key} {names[0]})'
    )


def _ordered(splits: Sequence[str]) -> list[str]:
    """Return splits with those of training first, then validation and test."""
    known = [each for kind in SPLITS if (each := of_kind(list(splits), (kind,)))]
    return [*known, *(split for split in splits if split not in known)]


def _with_lists(layout: Layout, names: set[str]) -> Layout:
    """Return a layout with the lists of its splits, if there are some, as VOC's."""
    lists: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        folder, file = os.path.split(name)
        stem, kind = os.path.splitext(file)
        if kind == '.txt' and split_of(stem) and stem.split('_')[0] in SPLITS:
            lists[folder].append(stem)
    better = [folder for folder in lists if folder.endswith('Segmentation')]
    for folder in [*better, *lists]:
        if of_kind(lists[folder], TRAIN) and len(lists[folder]) > 1:
            splits = tuple(_ordered(lists[folder]))
            place = '/'.join(filter(None, (folder, '{split}.txt')))
            return replace(layout, splits=splits, lists=place)
    return layout


def _of_json(root: str, jsons: Places, found: dict[str, Places]) -> Layout:
    """Return the layout of a folder whose masks are the objects of JSON files."""
    file = _one(root, 'masks', jsons)
    candidates = found['images'] or found['unknown']
    same = {each: place for each, place in candidates.items() if {*jsons[file]} & {*place}}
    images = _one(root, 'images', same or candidates)
    splits = _ordered([split for split in jsons[file] if split])
    if not splits:
        images = images.partition('{split}')[0].rstrip('/')
    return Layout(images, file, splits=tuple(splits))
