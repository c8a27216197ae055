# WILSON: new classes from image-level labels, localised online (Cermelli, CVPR 2022)
method = dict(
    name='wilson',
    image_labels=dict(type='MaskImageLabels'),  # from step 1 on, and no masks
    negatives=None,  # dict(type='NegativeFolder', folder=…): for a class that is in every image
    loss_decode=dict(type='BinaryCrossEntropyLoss'),
    distillation=dict(encoder=dict(type='FeatureDistillation', index=-1, loss_weight=1.0)),
    classifier_init=dict(type='RandomInit'),
    target_labeller=dict(
        type='OnlineLocaliser',
        source='decode_head',
        index=-1,
        alpha=0.5,
        start_epoch='$warmup_epochs',
        refine=dict(type='PAMR'),
        norm_cfg='$norm_cfg',
    ),
)
