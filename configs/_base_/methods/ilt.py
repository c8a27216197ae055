# ILT: LwF, and the backbone's map follows the teacher's (Michieli and Zanuttigh, ICCVW 2019)
method = dict(
    name='ilt',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(
        logits=dict(type='LogitsDistillation', source='decode_head', loss_weight=100.0),
        features=dict(type='FeatureDistillation', index=-1, loss_weight=100.0),
    ),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
)
