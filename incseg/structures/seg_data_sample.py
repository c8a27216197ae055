from mmengine.structures import BaseDataElement, PixelData


class SegDataSample(BaseDataElement):
    """The labels, the prediction and the meta information of one image.

    ``gt_sem_seg`` and ``pred_sem_seg`` are :class:`mmengine.structures.PixelData`
    whose ``data`` is uint8 ``(1, H, W)`` of *train ids* (positions in
    ``[background] + classes in learning order``); 255 is void.  A sample of
    weak supervision has ``gt_image_labels`` instead of ``gt_sem_seg``: float32
    ``(C_new,)``, 1 for every new class that the image shows.

    Meta information: ``image_id``, ``img_path``, ``ori_shape`` (``(H, W)`` of
    the label map), ``img_shape`` (``(H, W)`` of the network's input) and, in
    training, ``hidden``: the train ids of the classes that the label 0 may
    show besides the background.  Without it these are all old classes; an
    image of a replay memory has ``()``, as all classes are annotated in it.
    In a test over several sources, ``test_part``: the number of its source.

    The label map of an image has one name in each place that it passes:

    ======================================  =============  ==========================
    place                                   name           content
    ======================================  =============  ==========================
    file, read by ``LabelReader``           label map      uint8 ``(H, W)``, file ids
    ``results`` of the transforms           gt_seg_map     uint8 ``(H, W)``, train ids
    sample, made by ``PackSegInputs``       gt_sem_seg     uint8 ``(1, H, W)``
    batch, joined by ``collate_samples``    labels         uint8 ``(N, H, W)``
    argument of a loss                      target         uint8 ``(N, H, W)``
    ======================================  =============  ==========================

    ``LoadLabels`` turns file ids into train ids, by way of dataset ids, with
    one table.  ``collate_samples`` moves the label maps of a batch into one
    tensor.  The model gets that tensor; each sample's ``gt_sem_seg`` is then a
    view of its row, for the metric and for hooks.  A *mask* is the label map
    that a data set is published with, in contrast to a pseudo-label.
    """

    @property
    def gt_sem_seg(self) -> PixelData:
        """The label map; its ``data`` is uint8 ``(1, H, W)`` of train ids."""
        return self._gt_sem_seg

    @gt_sem_seg.setter
    def gt_sem_seg(self, value: PixelData) -> None:
        self.set_field(value, '_gt_sem_seg', dtype=PixelData)

    @gt_sem_seg.deleter
    def gt_sem_seg(self) -> None:
        del self._gt_sem_seg

    def pin_memory(self) -> 'SegDataSample':
        """Return a copy of the sample with its label map, if it has one, in page-locked memory.

        Torch's DataLoader calls this method with ``pin_memory=True``.
        """
        pinned = self.new()
        if 'gt_sem_seg' in self:
            pinned.gt_sem_seg = PixelData(data=self.gt_sem_seg.data.pin_memory())
        return pinned

    @property
    def pred_sem_seg(self) -> PixelData:
        """The predicted class of every pixel; its ``data`` is uint8 ``(1, H, W)`` of train ids."""
        return self._pred_sem_seg

    @pred_sem_seg.setter
    def pred_sem_seg(self, value: PixelData) -> None:
        self.set_field(value, '_pred_sem_seg', dtype=PixelData)

    @pred_sem_seg.deleter
    def pred_sem_seg(self) -> None:
        del self._pred_sem_seg
