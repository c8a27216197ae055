_base_ = './r50.py'
seam = dict(model=dict(backbone=dict(depth=101)))
