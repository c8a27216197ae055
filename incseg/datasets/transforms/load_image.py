import os

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import TRANSFORMS

_ALLOWED = 'allowed is a complete JPEG, PNG or other image that OpenCV reads'


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Decode ``img_path`` into ``img``, unless the sample brings one already.

    Adds ``img`` (uint8 ``(H, W, 3)``, BGR), ``img_shape`` and ``ori_shape``
    (both ``(H, W)``).

    Raises:
        MissingFileError: there is no such file.
        InvalidInputError: it is no image, or cut short; names the file.
    """

    def transform(self, results: dict) -> dict:
        if 'img' not in results:
            results['img'] = _read(results['img_path'])
        img = results['img']
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise InvalidInputError(
                f'image {results.get("img_path", "in memory")!r} is {img.dtype} {img.shape}; '
                'allowed is uint8 (H, W, 3), BGR')
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _read(path: str | os.PathLike) -> np.ndarray:
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except FileNotFoundError as error:
        raise MissingFileError(f'image {path!r} does not exist') from error
    except OSError as error:
        raise InvalidInputError(f'image {path!r} cannot be read ({error}); {_ALLOWED}') from error
    if not data:
        raise InvalidInputError(f'image {path!r} is an empty file; {_ALLOWED}')
    if _is_cut_jpeg(data):
        raise InvalidInputError(f'image {path!r} is cut short; {_ALLOWED}')
    img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if img is None:
        raise InvalidInputError(f'image {path!r} cannot be decoded; {_ALLOWED}')
    return img


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks the end marker after its last scan.

    Some versions of OpenCV fill the missing part with grey and say nothing.
    """
    if data[:2] != b'\xff\xd8':
        return False
    end = data.rfind(b'\xff\xd9')  # of a whole file at its end, so that little is searched
    return data.find(b'\xff\xda', max(end, 0)) >= 0
