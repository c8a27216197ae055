_base_ = [
    '../_base_/models/bisenet_r101.py',
    '../_base_/data/voc.py',
    '../_base_/protocols/15-1.py',
    '../_base_/schedules/incremental_30e.py',
    '../_base_/methods/mib.py',
    '../_base_/seam/r101.py',
    '../_base_/annotation/pseudo_labels.py',
]
method = dict(name='mib_s', distillation=dict(logits=dict(loss_weight=100.0)))
