pretrained = True
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='TimmBackbone',
        name='swin_tiny_patch4_window7_224',
        pretrained='$pretrained',
    ),
    decode_head=dict(type='MLPHead', channels=256, in_index=[0, 1, 2, 3], norm_cfg='$norm_cfg'),
    auxiliary_head=None,
    auxiliary_weight=1.0,
)
