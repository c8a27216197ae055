# what trained six classes of photographs; incseg init counts the epochs by the images
_base_ = './voc_animals.py'
batch_size = 8
schedule = dict(lr=dict(base=0.02, added=0.01))
