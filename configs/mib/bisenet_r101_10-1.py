_base_ = [
    '../_base_/models/bisenet_r101.py',
    '../_base_/data/voc.py',
    '../_base_/protocols/10-1.py',
    '../_base_/schedules/incremental_30e.py',
    '../_base_/methods/mib.py',
]
method = dict(distillation=dict(logits=dict(loss_weight=100.0)))
