_base_ = [
    '../_base_/models/bisenet_lite0.py',
    '../_base_/data/voc_animals.py',
    '../_base_/protocols/3-3.py',
    '../_base_/schedules/wilson_voc_animals.py',
    '../_base_/methods/wilson.py',
]
