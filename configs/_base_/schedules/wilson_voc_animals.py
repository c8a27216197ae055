_base_ = './voc_animals.py'
epochs = [6, 10]
warmup_epochs = 2
schedule = dict(
    lr_factors=dict(decode_head=10.0, auxiliary_head=10.0, target_labeller=10.0)
)  # added steps
