# BiSeNet on torchvision's ResNet-18
pretrained = True
width = 'narrow'
norm_cfg = dict(type='BN')
model = dict(
    type='IncrementalSegmentor',
    backbone=dict(
        type='BiSeNet', depth=18, width='$width', pretrained='$pretrained', norm_cfg='$norm_cfg'
    ),
    decode_head=dict(type='FCNHead', norm_cfg='$norm_cfg'),
    auxiliary_head=dict(
        aux_16=dict(type='FCNHead', in_index=1, norm_cfg='$norm_cfg'),
        aux_32=dict(type='FCNHead', in_index=0, norm_cfg='$norm_cfg'),
    ),
    auxiliary_weight=1.0,
)
