method = dict(
    name='pi',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    hooks=dict(pi=dict(type='PathIntegralHook', loss_weight=500.0, damping=1e-20)),
)
