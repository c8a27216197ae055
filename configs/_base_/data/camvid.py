# CamVid: 11 classes, no background
data_root = 'data/camvid'
num_workers = 2
image_scale = 1.0
eval_mode = 'whole'
data = dict(
    name='camvid',
    train=dict(type='CamVidDataset', data_root='$data_root', split='train'),
    test=dict(type='CamVidDataset', data_root='$data_root', split='test'),
    void_as_background=False,
    train_pipeline=dict(
        scale=dict(type='RandomScale', low=0.75, high=1.5),
        crop=dict(type='RandomCrop', size='$crop_size'),
        flip=dict(type='RandomFlip'),
        colour=dict(type='ColourJitter', brightness=0.2, contrast=0.2, saturation=0.2),
    ),
    test_pipelines=dict(whole=dict()),
)
