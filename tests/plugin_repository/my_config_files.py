_base_ = ['/path/to/incseg/configs/lwf/bisenet_r18_shapes_4-1.py']
custom_imports = dict(imports=['my_parts'], allow_failed_imports=False)
data_root = 'data'
data = dict(
    _delete_=True,
    name='tiles',
    train=dict(type='TilesDataset', data_root='$data_root', split='train'),
    test=dict(type='TilesDataset', data_root='$data_root', split='test'),
    train_pipeline=dict(mine=dict(type='PosteriseAndFlip', prob=0.0), flip=dict(type='RandomFlip')),
    test_pipelines=dict(whole=dict()),
)
protocol = dict(name='3-1')
batch_size = 8
epochs = [16, 6]
schedule = dict(lr=dict(base=0.1), log_interval=1, checkpoint_interval=2)
model = dict(
    backbone=dict(_delete_=True, type='SmallBackbone', widths=(8, 16, 16)),
    decode_head=dict(_delete_=True, type='FCNHead', in_index=1),
    auxiliary_head=dict(aux_16=None, aux_32=None),
)
method = dict(
    name='lwf_weighted',
    loss_decode=dict(_delete_=True, type='WeightedLoss', factor=1.5),
    distillation=dict(logits=dict(loss_weight=1.0)),
    target_labeller=dict(_delete_=True, type='SureLabels'),
)
