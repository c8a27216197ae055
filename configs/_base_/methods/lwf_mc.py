# LwF-MC: one sigmoid a class, those of old classes follow the teacher (Rebuffi, CVPR 2017)
method = dict(
    name='lwf_mc',
    loss_decode=dict(type='BinaryCrossEntropyLoss'),
    distillation=dict(
        logits=dict(type='BinaryDistillation', source='decode_head', loss_weight=10.0)
    ),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
)
