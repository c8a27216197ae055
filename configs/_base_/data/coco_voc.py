# COCO 2017 joined with VOC: 60 classes of COCO, then VOC's 20
_base_ = './voc.py'
data_root = 'data/coco'
voc_root = 'data/VOCdevkit/VOC2012'
data = dict(
    name='coco_voc',
    train=dict(type='COCOVOCDataset', voc_root='$voc_root', split=['coco_train', 'voc_train_aug']),
    test=dict(  # split='voc_val': the 20 classes on VOC's own images
        type='COCOVOCDataset', voc_root='$voc_root', split='coco_val'
    ),
)
