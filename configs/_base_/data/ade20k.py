# ADE20K: 150 classes
data_root = 'data/ade/ADEChallengeData2016'
num_workers = 4
image_scale = 1.0
eval_mode = 'whole'
data = dict(
    name='ade20k',
    train=dict(type='ADE20KDataset', data_root='$data_root', split='training'),
    test=dict(  # the id 0, "other", is background in training and void in the test, as published
        type='ADE20KDataset', data_root='$data_root', split='validation', reduce_zero_label=True
    ),
    void_as_background=False,
    train_pipeline=dict(
        crop=dict(type='RandomResizedCrop', size='$crop_size'), flip=dict(type='RandomFlip')
    ),
    test_pipelines=dict(whole=dict()),
)
