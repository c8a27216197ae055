# Shapes: six classes drawn in memory, no files
data_root = ''  # drawn in memory: nothing to read
num_workers = 0
image_scale = 1.0
eval_mode = 'whole'
data = dict(
    name='shapes',
    train=dict(type='ShapesDataset', split='train', length=600, size=96),
    test=dict(type='ShapesDataset', split='test', length=120, size=96),
    void_as_background=False,
    train_pipeline=dict(flip=dict(type='RandomFlip')),
    test_pipelines=dict(whole=dict()),
)
