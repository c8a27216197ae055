# PLOP: pooled maps follow the teacher, who labels the background (Douillard, CVPR 2021)
method = dict(
    name='plop',
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(
        pooled=dict(
            type='PooledDistillation',
            source='decode_head',
            feature_factor=0.01,
            logits_factor=0.0005,
        )
    ),
    classifier_init=dict(type='BackgroundBalancedInit'),
    target_labeller=dict(
        type='EntropyPseudoLabeller', source='decode_head', median='fixed', min_threshold=0.001
    ),
)
