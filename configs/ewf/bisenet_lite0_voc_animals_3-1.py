_base_ = [
    '../_base_/models/bisenet_lite0.py',
    '../_base_/data/voc_animals.py',
    '../_base_/protocols/3-1.py',
    '../_base_/schedules/voc_animals.py',
    '../_base_/methods/ewf.py',
]
method = dict(
    # the loss is a mean over outputs: four here, where 100 is for the sixteen of VOC 15-1
    distillation=dict(logits=dict(loss_weight=25.0)),
    frozen=['norm'],  # as mib, whose norms were measured
)
