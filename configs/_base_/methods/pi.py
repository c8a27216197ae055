# PI: holds parameters by how much their way lowered the loss (Zenke et al., ICML 2017)
method = dict(
    name='pi',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    hooks=dict(pi=dict(type='PathIntegralHook', loss_weight=500.0, damping=1e-20)),
)
