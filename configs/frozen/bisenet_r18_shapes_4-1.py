_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/shapes.py',
    '../_base_/protocols/4-1.py',
    '../_base_/schedules/shapes.py',
    '../_base_/methods/frozen.py',
]
pretrained = False  # nothing to download
