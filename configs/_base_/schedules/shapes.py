epochs = [10, 8]
batch_size = 16
crop_size = 64
schedule = dict(
    lr=dict(base=0.06, added=0.02),
    optimizer=dict(type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4),
    poly_power=0.9,
    amp=False,
    compile=False,
    tf32=True,
    pin_memory=True,
    log_interval=50,
    checkpoint_interval=50,
)
