_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/shapes.py',
    '../_base_/protocols/4-2.py',
    '../_base_/schedules/wilson_shapes.py',
    '../_base_/methods/wilson.py',
]
pretrained = False  # nothing to download
method = dict(target_labeller=dict(refine=dict(dilations=(1, 2))))  # maps of 12 x 12
