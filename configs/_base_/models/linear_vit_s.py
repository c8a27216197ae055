# a linear classifier on ViT-S/16 of timm
pretrained = True
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='TimmBackbone',
        name='vit_small_patch16_224',
        pretrained='$pretrained',
    ),
    decode_head=dict(type='LinearHead', norm_cfg='$norm_cfg'),
    auxiliary_head=None,
    auxiliary_weight=1.0,
)
