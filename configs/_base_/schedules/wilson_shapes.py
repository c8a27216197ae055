_base_ = './shapes.py'
epochs = [10, 24]
warmup_epochs = 6
schedule = dict(
    lr=dict(added=0.004),
    lr_factors=dict(decode_head=10.0, auxiliary_head=10.0, target_labeller=10.0),
)
