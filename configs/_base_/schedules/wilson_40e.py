_base_ = './incremental_30e.py'
epochs = [30, 40]  # of step 0, of every later one
warmup_epochs = 5  # of an added step: full learning rate, the localiser learns alone
schedule = dict(
    lr_factors=dict(decode_head=10.0, auxiliary_head=10.0, target_labeller=10.0)
)  # added steps
