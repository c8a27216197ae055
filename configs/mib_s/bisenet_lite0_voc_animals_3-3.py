_base_ = [
    '../_base_/models/bisenet_lite0.py',
    '../_base_/data/voc_animals.py',
    '../_base_/protocols/3-3.py',
    '../_base_/schedules/voc_animals.py',
    '../_base_/methods/mib.py',
    '../_base_/seam/lite0.py',
    '../_base_/annotation/pseudo_labels.py',
]
method = dict(name='mib_s', frozen=['norm'])
