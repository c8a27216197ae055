seam = dict(
    model=dict(
        type='SEAM',
        backbone=dict(
            type='ResNet', depth=50, output_stride=8, pretrained='$pretrained', norm_cfg='$norm_cfg'
        ),
        head=dict(type='SEAMHead', dropout_ratio=0.0),
    ),
    scope='all',  # 'step': new classes and their images alone, as incremental learning has them
    image_labels=dict(type='MaskImageLabels'),
    init_from=None,  # 'step0': the backbone starts from step 0's context path, not from ImageNet
    negatives=None,  # for a class in every image: dict(type='NegativeFolder', folder=…),
    # dict(type='BackgroundCrops') or dict(type='OldModelLabels'), see docs/seam.md
    schedule=dict(
        epochs=8,
        batch_size=8,  # over all processes
        lr=0.01,
        head_factor=10.0,  # on the learning rate of all that is not the backbone
        momentum=dict(pretrained=0.0, scratch=0.9),
        weight_decay=5e-4,
        poly_power=0.9,
        amp='auto',
        log_interval=50,
        checkpoint_interval=500,
    ),
    train_pipeline=dict(
        scale=dict(type='RandomLongSide', low=448, high=768, interpolation='bicubic'),
        flip=dict(type='RandomFlip'),
        colour=dict(type='ColourJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
        crop=dict(type='RandomCrop', size=448),
    ),
    inference=dict(
        scales=(0.5, 1.0, 1.5, 2.0),
        flip=True,
        maps='refined',  # 'cam': those before the pixel correlation
        background=dict(mode='const', value=0.26),
        uncertain=None,  # pixels so close to the background become void
        scores=True,
        score_stride=1,
        batch_size=None,
        num_threads=2,
    ),
    refine=dict(type='NoRefinement'),
)
