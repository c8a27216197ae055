# all classes at once from all images: the upper bound (with image-level labels: joint_s)
method = dict(
    name='joint',
    joint=True,  # one step on all classes and all images
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
)
