"""torchvision's ImageNet weights, from torch's cache or by download."""

from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from incseg.errors import MissingFileError


def torchvision_weights(weights: Any) -> tuple[dict[str, Tensor], str]:
    """Return weights of torchvision; a file in torch's cache is taken, else it is downloaded.

    Args:
        weights: A member of torchvision's ``WeightsEnum``.

    Returns:
        Tensors on the CPU by name, and where they come from.

    Raises:
        MissingFileError: They are not there and cannot be downloaded, or the file is damaged.
    """
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    cached = (folder / weights.url.rpartition('/')[2]).is_file()
    try:
        # a file that is already there is not hashed: load nothing but tensors from it
        state = weights.get_state_dict(
            progress=False, check_hash=True, map_location='cpu', weights_only=True
        )
    except (OSError, RuntimeError, EOFError, HTTPException, UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise MissingFileError(
            f'the ImageNet weights {weights} could not be had from {weights.url} '
            f'({reason}); put the file into {folder}, or train '
            'without them: --cfg-options pretrained=False'
        ) from error
    return state, f"{weights} in torch's cache" if cached else f'{weights} from {weights.url}'
