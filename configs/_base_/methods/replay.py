# a memory of images of earlier steps (SSUL-M, Cha et al., NeurIPS 2021)
method = dict(
    name='replay',  # images of earlier steps, and no call to forget them
    loss_decode=dict(type='UnbiasedCrossEntropyLoss'),
    distillation=dict(),
    classifier_init=dict(type='RandomInit'),
    target_labeller=None,
    memory=dict(size=100, strategy='class_balanced', labels='seen', batch_share=0.5),
)
