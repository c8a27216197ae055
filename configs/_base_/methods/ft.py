# fine-tuning: nothing against forgetting (with image-level labels: ft_s)
method = dict(
    name='ft',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
)
