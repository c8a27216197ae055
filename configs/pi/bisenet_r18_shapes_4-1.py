_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/shapes.py',
    '../_base_/protocols/4-1.py',
    '../_base_/schedules/shapes.py',
    '../_base_/methods/pi.py',
]
pretrained = False  # nothing to download
# not 1e-20: what ends where it began would outweigh all others (docs/methods/pi.md)
method = dict(hooks=dict(pi=dict(damping=1e-3)))
