_base_ = [
    '../_base_/models/bisenet_lite0.py',
    '../_base_/data/voc_animals.py',
    '../_base_/protocols/3-3.py',
    '../_base_/schedules/voc_animals.py',
    '../_base_/methods/ilt.py',
]
method = dict(
    # measured: docs/results, norms and rates; published: 100, norms trained
    distillation=dict(features=dict(loss_weight=1.0)),
    frozen=['norm'],
)
