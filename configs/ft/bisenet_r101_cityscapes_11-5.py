_base_ = [
    '../_base_/models/bisenet_r101.py',
    '../_base_/data/cityscapes.py',
    '../_base_/protocols/11-5.py',
    '../_base_/schedules/cityscapes_50e.py',
    '../_base_/methods/ft.py',
]
