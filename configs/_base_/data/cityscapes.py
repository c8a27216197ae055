# Cityscapes: 19 classes, no background
data_root = 'data/cityscapes'
num_workers = 4
image_scale = 1.0
eval_mode = 'whole'
data = dict(
    name='cityscapes',
    train=dict(type='CityscapesDataset', data_root='$data_root', split='train'),
    test=dict(type='CityscapesDataset', data_root='$data_root', split='val'),
    void_as_background=False,
    train_pipeline=dict(
        scale=dict(type='RandomScale', low=0.5, high=2.0),
        crop=dict(type='RandomCrop', size='$crop_size'),
        flip=dict(type='RandomFlip'),
        colour=dict(type='ColourJitter', brightness=0.2, contrast=0.2, saturation=0.2),
    ),
    test_pipelines=dict(whole=dict()),
)
