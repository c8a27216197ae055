_base_ = './r50.py'
seam = dict(
    model=dict(
        backbone=dict(
            _delete_=True,
            type='ResNet38d',
            pretrained='$pretrained',
            norm_cfg='$norm_cfg',
            weights='data/resnet38d.pth',
        ),  # made by incseg convert-resnet38-params
        head=dict(dropout_ratio=0.5),
    )
)
