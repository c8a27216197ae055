# trains only the new classifiers after step 0
method = dict(
    name='frozen',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    frozen=['backbone', 'head_features', 'old_classifiers'],
)  # from step 1 on
