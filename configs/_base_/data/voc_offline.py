# VOC with the augmentation of offline BiSeNet: rotation, flips, colour
_base_ = './voc.py'
data = dict(
    train_pipeline=dict(
        rotation=dict(type='RandomRotation', degrees=10),
        flip=dict(type='RandomFlip', direction='horizontal'),
        vertical_flip=dict(type='RandomFlip', direction='vertical'),
        colour=dict(type='ColourJitter', brightness=0.25, contrast=0.25, saturation=0.25),
    )
)
