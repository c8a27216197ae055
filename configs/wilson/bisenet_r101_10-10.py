_base_ = [
    '../_base_/models/bisenet_r101.py',
    '../_base_/data/voc.py',
    '../_base_/protocols/10-10.py',
    '../_base_/schedules/wilson_40e.py',
    '../_base_/methods/wilson.py',
]
