data_root = 'data/coco'
voc_root = 'data/VOCdevkit/VOC2012'
num_workers = 4
image_scale = 1.0
eval_mode = 'whole'  # 'mib_crop512': short side 512, centre crop, as published numbers
data = dict(
    name='coco_voc',
    train=dict(
        type='COCOVOCDataset', data_root='$data_root', voc_root='$voc_root',
        split=['coco_train', 'voc_train_aug']),
    test=dict(
        type='COCOVOCDataset', data_root='$data_root', voc_root='$voc_root',
        split='coco_val'),  # 'voc_val': the 20 classes on VOC's own images
    void_as_background=False,
    train_pipeline=dict(
        crop=dict(type='RandomResizedCrop', size='$crop_size'),
        flip=dict(type='RandomFlip')),
    test_pipelines=dict(
        whole=dict(),
        mib_crop512=dict(
            resize=dict(type='Resize', short_side=512),
            crop=dict(type='CenterCrop', size=512))))
