# PASCAL VOC 2012 with the SBD masks: 20 classes
data_root = 'data/VOCdevkit/VOC2012'
num_workers = 4
image_scale = 1.0
eval_mode = 'whole'  # 'mib_crop512': short side 512, centre crop, as published numbers
data = dict(
    name='voc',
    train=dict(type='VOCDataset', data_root='$data_root', split='train_aug'),
    test=dict(type='VOCDataset', data_root='$data_root', split='val'),
    void_as_background=False,  # True: as MiB's own code
    train_pipeline=dict(
        crop=dict(type='RandomResizedCrop', size='$crop_size'), flip=dict(type='RandomFlip')
    ),
    test_pipelines=dict(
        whole=dict(),
        mib_crop512=dict(
            resize=dict(type='Resize', short_side=512), crop=dict(type='CenterCrop', size=512)
        ),
    ),
)
