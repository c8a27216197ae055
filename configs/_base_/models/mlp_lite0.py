# SegFormer's all-MLP head on EfficientNet-Lite0 of timm
pretrained = True
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='TimmBackbone',
        name='tf_efficientnet_lite0',
        pretrained='$pretrained',
    ),
    decode_head=dict(type='MLPHead', channels=128, in_index=[0, 1, 2, 3], norm_cfg='$norm_cfg'),
    auxiliary_head=None,
    auxiliary_weight=1.0,
)
