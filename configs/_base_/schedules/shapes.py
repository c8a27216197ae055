epochs = [4, 2]
batch_size = 8
crop_size = 96
schedule = dict(
    lr=dict(base=0.05, added=0.02),
    optimizer=dict(type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4),
    poly_power=0.9,
    amp=False,
    compile=False,
    tf32=True,
    pin_memory=True,
    log_interval=25,
    checkpoint_interval=50,
)
