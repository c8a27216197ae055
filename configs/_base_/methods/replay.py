method = dict(
    name='replay',  # fine-tuning, and images of earlier steps
    loss_decode=dict(type='CrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    memory=dict(size=100, strategy='class_balanced', labels='seen', batch_share=0.5))
