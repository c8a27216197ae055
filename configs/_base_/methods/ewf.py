# EWF: MiB, and the network is averaged with the previous one (Xiao et al., CVPR 2023)
method = dict(
    name='ewf',  # MiB, and the fusion of its networks
    loss_decode=dict(type='UnbiasedCrossEntropyLoss'),
    distillation=dict(
        logits=dict(type='UnbiasedLogitsDistillation', source='decode_head', loss_weight=10.0)
    ),
    classifier_init=dict(type='BackgroundBalancedInit'),
    target_labeller=None,
    hooks=dict(fusion=dict(type='WeightFusionHook')),
)
