import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData

from incseg.registry import TRANSFORMS
from incseg.structures import SegDataSample

_META_KEYS = ('image_id', 'img_path', 'ori_shape', 'img_shape', 'hidden', 'test_part')


@TRANSFORMS.register_module()
class PackSegInputs(BaseTransform):
    """Turn the results of the other transforms into tensors for the model, uint8 as before.

    Returns ``dict(inputs=…, data_samples=…)``: ``inputs`` is uint8
    ``(3, H, W)``, BGR; ``data_samples`` is a :class:`SegDataSample`, whose
    ``gt_sem_seg.data`` is ``gt_seg_map``, uint8 ``(1, H, W)``, if there is one.
    Its ``ori_shape`` is the size of the label map, at which predictions are
    evaluated; without a label map it is the size of the image file.
    """

    def transform(self, results: dict) -> dict:
        img = _channels_first(results['img'])
        sample = SegDataSample()
        meta = {key: results[key] for key in _META_KEYS if key in results}
        meta['img_shape'] = tuple(img.shape[1:])
        if 'gt_seg_map' in results:
            label_map = np.ascontiguousarray(results['gt_seg_map'])
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(label_map)[None])
            meta['ori_shape'] = label_map.shape
        sample.set_metainfo(meta)
        return dict(inputs=torch.from_numpy(img), data_samples=sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _channels_first(img: np.ndarray) -> np.ndarray:
    if img.dtype != np.uint8 or img.shape[2:] != (3,):
        return np.ascontiguousarray(img.transpose(2, 0, 1))
    planes = np.empty((3, *img.shape[:2]), np.uint8)
    cv2.split(img, list(planes))  # twice as fast as a transposed copy
    return planes
