"""Older formats of a step's checkpoint, brought up to the newest one in memory."""

import warnings
from collections.abc import Callable
from typing import Any

from mmengine.dist import is_main_process

from incseg.errors import InvalidInputError
from incseg.utils.content_digest import tensors_digest
from incseg.utils.tensor_files import FORMAT, FilePath, format_of, kind_of

Content = dict[str, Any]


def from_0(content: Content) -> Content:
    """Return content of incseg 0.1 with all keys of today's ``meta``; what is unknown is None."""
    meta = content['meta']
    added = [len(classes) for classes in meta['protocol'].get('steps', [])[1 : meta['step'] + 1]]
    outputs = [len(meta['classes']) - sum(added), *added]
    unknown: Content = dict(config=None, input=None, imports=[], previous=None, data=None)
    known = dict(
        outputs_per_step=outputs, format=1, kind=kind_of(content), tensors=_digest(content)
    )
    return {**content, 'meta': {**known, **unknown, **meta}}


def _digest(content: Content) -> str | None:
    """Return the digest of the weights; None where one has no bytes, which loading refuses."""
    try:
        return tensors_digest(content['state_dict'])
    except ValueError:
        return None


#: by the number of a format: the function to the next one
STEPS: dict[int, Callable[[Content], Content]] = {0: from_0}


def migrated(content: Content, path: FilePath) -> Content:
    """Return the content of a step's checkpoint in the newest format; the file stays as it is.

    Args:
        content: ``{state_dict, meta, …}`` as read, complete and verified.
        path: The file, for the warning.

    Raises:
        InvalidInputError: It does not hold what files of its format hold.

    Warns:
        UserWarning: The file is of incseg 0.1: nothing tells whether it is damaged.
    """
    number = format_of(content)
    if number == 0 and is_main_process():
        warnings.warn(
            f'checkpoint {path} is of incseg 0.1: it holds no config and no digest, so it needs '
            'its config, and a damaged weight is not noticed',
            stacklevel=2,
        )
    try:
        for each in range(number, FORMAT):
            content = STEPS[each](content)
    except (TypeError, KeyError, AttributeError) as error:
        raise InvalidInputError(f'checkpoint {path} is damaged: {error}') from error
    return content
