# MiB: old classes may hide in the background (Cermelli, CVPR 2020; image-level labels: mib_s)
method = dict(
    name='mib',
    loss_decode=dict(type='UnbiasedCrossEntropyLoss'),
    distillation=dict(
        logits=dict(type='UnbiasedLogitsDistillation', source='decode_head', loss_weight=10.0)
    ),
    classifier_init=dict(type='BackgroundBalancedInit'),
    target_labeller=None,
)
