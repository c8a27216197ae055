_base_ = './r50.py'
seam = dict(
    model=dict(
        backbone=dict(
            _delete_=True,
            type='TimmBackbone',
            name='tf_efficientnet_lite0',
            output_stride=8,
            pretrained='$pretrained',
        )
    ),
    train_pipeline=dict(scale=dict(low=256, high=448), crop=dict(size=256)),
)
