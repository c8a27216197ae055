# LR-ASPP on torchvision's MobileNetV3-Large
pretrained = True
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='TorchvisionBackbone',
        name='mobilenet_v3_large',
        output_stride=16,
        pretrained='$pretrained',
    ),
    decode_head=dict(type='LRASPPHead', channels=128, in_index=[1, 3], norm_cfg='$norm_cfg'),
    auxiliary_head=None,
    auxiliary_weight=1.0,
)
