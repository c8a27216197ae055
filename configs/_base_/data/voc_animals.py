# six of VOC's classes: person, cat, dog, horse, cow, sheep
_base_ = './voc.py'
# six of VOC's classes, in learning order; the other fourteen are background
classes = ['person', 'cat', 'dog', 'horse', 'cow', 'sheep']
data = dict(
    name='voc_animals',
    train=dict(classes='$classes', only_with_classes=True),
    test=dict(classes='$classes'),
)
