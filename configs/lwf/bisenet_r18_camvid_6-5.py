_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/camvid.py',
    '../_base_/protocols/6-5.py',
    '../_base_/schedules/camvid.py',
    '../_base_/methods/lwf.py',
]
