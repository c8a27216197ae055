epochs = [120, 60]
batch_size = 16
crop_size = (360, 480)
schedule = dict(
    lr=dict(base=0.02, added=0.002),
    optimizer=dict(type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4),
    poly_power=0.9,
    amp='auto',  # bfloat16 autocast where the device has instructions for it
    compile=False,
    tf32=True,
    pin_memory=True,
    log_interval=50,
    checkpoint_interval=200,
)
