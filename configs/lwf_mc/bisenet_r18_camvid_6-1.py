_base_ = [
    '../_base_/models/bisenet_r18.py',
    '../_base_/data/camvid.py',
    '../_base_/protocols/6-1.py',
    '../_base_/schedules/camvid.py',
    '../_base_/methods/lwf_mc.py',
]
