_base_ = ['/path/to/incseg/configs/mib_s/bisenet_r18_shapes_4-2.py']
custom_imports = dict(imports=['my_parts'], allow_failed_imports=False)
data_root = 'data'
data = dict(
    _delete_=True,
    name='tiles',
    train=dict(type='TilesDataset', data_root='$data_root', split='train'),
    test=dict(type='TilesDataset', data_root='$data_root', split='test'),
    train_pipeline=dict(flip=dict(type='RandomFlip')),
    test_pipelines=dict(whole=dict()),
)
protocol = dict(name='3-2')
batch_size = 8
epochs = 1
schedule = dict(log_interval=1, checkpoint_interval=2)
model = dict(
    backbone=dict(_delete_=True, type='SmallBackbone'),
    auxiliary_head=dict(aux_16=None, aux_32=None),
)
method = dict(loss_decode=dict(_delete_=True, type='SmallFocalLoss'))
seam = dict(
    model=dict(backbone=dict(_delete_=True, type='SmallBackbone', widths=(8, 16, 24))),
    image_labels=dict(type='TagFile', path='tags.txt'),
    schedule=dict(epochs=2, batch_size=8, log_interval=1, checkpoint_interval=2),
    train_pipeline=dict(mine=dict(type='PosteriseAndFlip')),
    inference=dict(scales=(1.0,)),
    refine=dict(type='Smooth', floor=0.3),
)
custom_hooks = dict(diary=dict(type='DiaryHook', name='weak_diary'))
