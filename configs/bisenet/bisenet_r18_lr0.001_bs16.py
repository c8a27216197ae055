_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/voc_offline.py',
    '../_base_/protocols/offline.py',
    '../_base_/schedules/offline_30e.py',
    '../_base_/methods/ft.py',
]
