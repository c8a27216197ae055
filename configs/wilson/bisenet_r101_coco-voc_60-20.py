_base_ = [
    '../_base_/models/bisenet_r101.py',
    '../_base_/data/coco_voc.py',
    '../_base_/protocols/60-20.py',
    '../_base_/schedules/wilson_40e.py',
    '../_base_/methods/wilson.py',
]
epochs = 30
crop_size = 448
method = dict(target_labeller=dict(alpha=0.9))
