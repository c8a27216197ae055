epochs = [10, 24]
warmup_epochs = 6
batch_size = 16
crop_size = 64
schedule = dict(
    lr=dict(base=0.06, added=0.004),
    lr_factors=dict(decode_head=10., auxiliary_head=10., target_labeller=10.),
    optimizer=dict(type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4),
    poly_power=0.9,
    amp=False,
    compile=False,
    tf32=True,
    pin_memory=True,
    log_interval=50,
    checkpoint_interval=50)
