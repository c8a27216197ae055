_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/shapes.py',
    '../_base_/protocols/4-2.py',
    '../_base_/schedules/shapes.py',
    '../_base_/methods/mib.py',
    '../_base_/seam/shapes.py',
    '../_base_/annotation/pseudo_labels.py',
]
pretrained = False  # nothing to download
method = dict(name='mib_s')
