_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/shapes.py',
    '../_base_/protocols/4-1.py',
    '../_base_/schedules/shapes.py',
    '../_base_/methods/pi.py',
]
pretrained = False  # nothing to download
# with the published 1e-20 the normalised scores of nearly all parameters are next to 0
method = dict(hooks=dict(pi=dict(damping=1e-3)))
