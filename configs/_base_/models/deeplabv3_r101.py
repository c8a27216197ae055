_base_ = './deeplabv3_r50.py'
model = dict(backbone=dict(depth=101))
