# a folder of your own; incseg init DIR writes a config that names its classes
data_root = 'data/my_folder'
images = 'auto'  # folder of the images below data_root; 'auto' looks for it
masks = 'auto'  # that of the masks, or a JSON file in COCO's form
ids = dict()  # value of each class in the masks: dict(cat=1, dog=2) or dict(cat=[128, 0, 0])
classes = None  # names of the classes to learn, in order; None: all of ids
others = 'background'  # what pixels of the other classes become; or 'void'
train_split = 'train'
test_split = 'val'
held_out = None  # share of the images that is kept for the test where there is no val
exif = 'apply'
num_workers = 2
image_scale = 1.0
eval_mode = 'whole'
data = dict(
    name='folder',
    train=dict(
        type='FolderDataset',
        data_root='$data_root',
        split='$train_split',
        images='$images',
        masks='$masks',
        ids='$ids',
        classes='$classes',
        others='$others',
        held_out='$held_out',
        exif='$exif',
    ),
    test=dict(
        type='FolderDataset',
        data_root='$data_root',
        split='$test_split',
        images='$images',
        masks='$masks',
        ids='$ids',
        classes='$classes',
        others='$others',
        held_out='$held_out',
        exif='$exif',
    ),
    void_as_background=False,
    train_pipeline=dict(
        crop=dict(type='RandomResizedCrop', size='$crop_size'), flip=dict(type='RandomFlip')
    ),
    test_pipelines=dict(whole=dict()),
)
