_base_ = ['../../configs/mib/bisenet_r18_shapes_4-1.py']
custom_imports = dict(imports=['toy_parts'], allow_failed_imports=False)
pretrained = False
width = 8
batch_size = 8
epochs = 40
image_scale = 0.5
model = dict(
    backbone=dict(_delete_=True, type='KeptBackbone', width='$width'),
    decode_head=dict(channels='$width'),
    auxiliary_head=dict(_delete_=True, aux=dict(type='FCNHead', in_index=1, channels=4)),
)
data = dict(
    train=dict(length=96, size=64),
    test=dict(length=8, size=64),
)
crop_size = 64  # as when the files beside it were written
