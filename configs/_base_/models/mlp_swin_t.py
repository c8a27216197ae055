# SegFormer's all-MLP head on Swin-T of timm
_base_ = './mlp_lite0.py'
model = dict(
    backbone=dict(name='swin_tiny_patch4_window7_224'),
    decode_head=dict(channels=256),
)
