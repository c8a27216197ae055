# DeepLabV3 on ResNet-50, output stride 16
pretrained = True
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='ResNet',
        depth=50,
        output_stride=16,
        pretrained='$pretrained',
        norm_cfg='$norm_cfg',
    ),
    decode_head=dict(type='ASPPHead', channels=256, rates=(6, 12, 18), norm_cfg='$norm_cfg'),
    auxiliary_head=None,
    auxiliary_weight=1.0,
)
