# RW: holds parameters by the importances of EWC and PI (Chaudhry et al., ECCV 2018)
method = dict(
    name='rw',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    hooks=dict(rw=dict(type='RiemannianWalkHook', loss_weight=100.0, alpha=0.9, interval=10)),
)
