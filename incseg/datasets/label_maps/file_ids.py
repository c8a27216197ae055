"""The meaning of the ids in label files, as the arguments of a data set give it."""

from collections.abc import Mapping, Sequence
from typing import Any

from incseg.constants import VOID
from incseg.datasets.label_maps.reader import LabelReader
from incseg.utils.rules import any_of, expected

_FORM = 'a dict {id in the files: class}, or a list of the classes of the ids 0, 1, …'


def reader_of(
    own: LabelReader,
    classes: Sequence[str],
    file_ids: Mapping[Any, Any] | Sequence[Any] | None,
    void_ids: Sequence[int] | None,
    reduce_zero_label: bool,
) -> LabelReader:
    """Return the reader of label files whose ids have the meaning that arguments give them.

    Args:
        own: The reader that the data set has without these arguments.
        classes: Names of the classes, the background first.
        file_ids: The class of each id in the files, by name or dataset id, 0 the background;
            None for those of ``own``.
        void_ids: Further ids in the files that are void; 255 always is.
        reduce_zero_label: Whether the id 0 is void and the classes have the ids 1 to C, as in
            MMSegmentation's data sets of this option.

    Raises:
        InvalidInputError: An argument has another form, an unknown class or an id that is none.
    """
    if not isinstance(reduce_zero_label, bool):
        raise expected('reduce_zero_label', reduce_zero_label, 'True or False')
    if reduce_zero_label and file_ids is not None:
        raise expected('file_ids', file_ids, 'None, as reduce_zero_label=True says what ids mean')
    void = [] if void_ids is None else void_ids
    if not isinstance(void, Sequence) or not all(map(_is_id, void)):
        raise expected('void_ids', void_ids, 'a list of ids in the files, 0 to 255')
    if reduce_zero_label:
        void, file_ids = [0, *void], {i: i for i in range(1, len(classes))}
    elif file_ids is None and not void:
        return own
    meanings = own.file_ids if file_ids is None else _meanings(file_ids, classes)
    void = [*void, VOID] if file_ids is not None else [*void, *own.void_ids]
    meanings = {i: to for i, to in meanings.items() if i not in void}
    return LabelReader(len(classes) - 1, meanings, sorted({*void}), own.read_file)


def _meanings(file_ids: Any, classes: Sequence[str]) -> dict[int, int]:
    """Return the dataset id of each id in the files."""
    if isinstance(file_ids, Mapping):  # keys of a stored config are texts
        pairs = [
            (int(k) if isinstance(k, str) and k.isdigit() else k, v) for k, v in file_ids.items()
        ]
    elif isinstance(file_ids, Sequence) and not isinstance(file_ids, str):
        pairs = list(enumerate(file_ids))
    else:
        raise expected('file_ids', file_ids, _FORM)
    meanings = {}
    for file_id, meaning in pairs:
        if not _is_id(file_id):
            raise expected('an id in file_ids', file_id, 'a whole number from 0 to 255')
        place = classes.index(meaning) if meaning in classes else meaning
        if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(classes):
            raise expected(
                f'the class of id {file_id} in file_ids',
                meaning,
                f'0 to {len(classes) - 1}, or {any_of(classes)}; ids of unknown pixels go into '
                'void_ids',
            )
        meanings[file_id] = place
    if not meanings:
        raise expected('file_ids', file_ids, _FORM)
    return meanings


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
