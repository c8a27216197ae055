# EWC: holds parameters by their Fisher information (Kirkpatrick et al., PNAS 2017)
method = dict(
    name='ewc',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    hooks=dict(ewc=dict(type='EWCHook', loss_weight=500.0, alpha=0.9)),
)
