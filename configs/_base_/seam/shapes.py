seam = dict(
    model=dict(
        type='SEAM',
        backbone=dict(
            type='ResNet',
            depth=18,
            output_stride=4,
            pretrained='$pretrained',
            norm_cfg='$norm_cfg',
            num_stages=3,
        ),  # with four, every pixel of 96 x 96 sees the whole picture
        head=dict(type='SEAMHead', dropout_ratio=0.0),
        scale=0.5,
    ),  # at 0.3 little would be left of pictures of 96 x 96
    scope='all',
    image_labels=dict(type='MaskImageLabels'),
    init_from=None,
    negatives=None,
    schedule=dict(
        epochs=8,
        batch_size=16,
        lr=0.03,
        head_factor=2.0,  # the backbone is new, too
        momentum=dict(pretrained=0.0, scratch=0.9),
        weight_decay=5e-4,
        poly_power=0.9,
        amp='auto',
        log_interval=20,
        checkpoint_interval=100,
    ),
    train_pipeline=dict(flip=dict(type='RandomFlip')),
    inference=dict(
        scales=(1.0, 1.5),
        flip=True,
        maps='refined',  # 'cam': those before the pixel correlation
        background=dict(mode='const', value=0.5),  # the best of a sweep here
        uncertain=None,  # pixels so close to the background become void
        scores=True,
        score_stride=1,
        batch_size=None,
        num_threads=2,
    ),
    refine=dict(type='NoRefinement'),
)
