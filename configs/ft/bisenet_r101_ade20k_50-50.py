_base_ = [
    '../_base_/models/bisenet_r101.py',
    '../_base_/data/ade20k.py',
    '../_base_/protocols/50-50.py',
    '../_base_/schedules/ade20k_60e.py',
    '../_base_/methods/ft.py',
]
