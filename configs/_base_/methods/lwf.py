# LwF: old outputs follow the teacher's probabilities (Li and Hoiem, ECCV 2016)
method = dict(
    name='lwf',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(
        logits=dict(type='LogitsDistillation', source='decode_head', loss_weight=100.0)
    ),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
)
