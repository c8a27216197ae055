_base_ = './shapes.py'
epochs = [4, 10]
warmup_epochs = 3
schedule = dict(
    lr=dict(added=0.004),
    lr_factors=dict(decode_head=10.0, auxiliary_head=10.0, target_labeller=10.0),
)
