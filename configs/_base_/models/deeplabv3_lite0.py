# DeepLabV3 on EfficientNet-Lite0 of timm, output stride 16
pretrained = True
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='TimmBackbone',
        name='tf_efficientnet_lite0',
        output_stride=16,
        pretrained='$pretrained',
    ),
    decode_head=dict(type='ASPPHead', channels=256, rates=(6, 12, 18), norm_cfg='$norm_cfg'),
    auxiliary_head=None,
    auxiliary_weight=1.0,
)
