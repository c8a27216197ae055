from mmengine.structures import BaseDataElement, PixelData


class SegDataSample(BaseDataElement):
    """What belongs to one image: its labels and its prediction.

    Both are :class:`mmengine.structures.PixelData` whose ``data`` has shape
    ``(1, H, W)`` and holds *train ids* (positions in ``[background] + classes
    in learning order``), uint8 from the loader; 255 is void.  A sample of
    weak supervision has ``gt_image_labels`` instead, float32 ``(C_new,)``: 1
    where the image shows the new class.

    Meta information: ``image_id``, ``img_path``, ``ori_shape`` (the label's
    own ``(H, W)``), ``img_shape`` (``(H, W)`` of the network's input) and, in
    training, ``exemplar``: True if old classes are annotated in it, because it
    comes from a replay memory.
    """

    @property
    def gt_sem_seg(self) -> PixelData:
        return self._gt_sem_seg

    @gt_sem_seg.setter
    def gt_sem_seg(self, value: PixelData) -> None:
        self.set_field(value, '_gt_sem_seg', dtype=PixelData)

    @gt_sem_seg.deleter
    def gt_sem_seg(self) -> None:
        del self._gt_sem_seg

    def pin_memory(self) -> 'SegDataSample':
        """The sample with its labels in page-locked memory; called by torch's DataLoader."""
        pinned = self.new()
        if 'gt_sem_seg' in self:
            pinned.gt_sem_seg = PixelData(data=self.gt_sem_seg.data.pin_memory())
        return pinned

    @property
    def pred_sem_seg(self) -> PixelData:
        return self._pred_sem_seg

    @pred_sem_seg.setter
    def pred_sem_seg(self, value: PixelData) -> None:
        self.set_field(value, '_pred_sem_seg', dtype=PixelData)

    @pred_sem_seg.deleter
    def pred_sem_seg(self) -> None:
        del self._pred_sem_seg
