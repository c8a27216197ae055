# DeepLabV3 on ResNet-101, output stride 16
_base_ = './deeplabv3_r50.py'
model = dict(backbone=dict(depth=101))
