_base_ = ['/path/to/incseg/configs/mib/bisenet_r18_shapes_4-1.py']
custom_imports = dict(imports=['my_parts'], allow_failed_imports=False)
data = dict(
    train=dict(length=32, size=32),
    test=dict(length=6, size=32),
    train_pipeline=dict(mine=dict(type='PosteriseAndFlip', levels=32)),
)
batch_size = 8
epochs = [6, 2]
schedule = dict(log_interval=1, checkpoint_interval=2)
model = dict(
    backbone=dict(_delete_=True, type='SmallBackbone', norm_cfg='$norm_cfg'),
    decode_head=dict(_delete_=True, type='FirstAndLastHead', channels=16, gain=2.0),
    auxiliary_head=dict(
        aux_16=dict(_delete_=True, type='FirstAndLastHead', in_index=1, norm_cfg='$norm_cfg'),
        aux_32=None,
    ),
)
method = dict(
    name='mine',
    loss_decode=dict(_delete_=True, type='SmallFocalLoss', loss_weight=2.0),
    distillation=dict(
        stages=dict(type='StageDistillation', stage=1, source='aux_16', loss_weight=0.5)
    ),
    classifier_init=dict(_delete_=True, type='MeanInit', less=0.5),
    target_labeller=dict(_delete_=True, type='SureLabels', quantile=0.4),
    frozen=['backbone_norm'],
    hooks=dict(
        drift=dict(type='DriftHook', pull=0.05), held=dict(type='MeanGradientHook', loss_weight=2.0)
    ),
)
custom_hooks = dict(diary=dict(type='DiaryHook'))
