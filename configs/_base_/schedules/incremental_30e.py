epochs = 30  # of every step, or one number per step
batch_size = 24  # over all processes
crop_size = 512
schedule = dict(
    lr=dict(base=0.01, added=0.001),
    optimizer=dict(type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4),
    poly_power=0.9,
    amp='auto',  # bfloat16 autocast where the device has instructions for it
    compile=False,
    tf32=True,
    pin_memory=True,
    log_interval=50,
    checkpoint_interval=500,
)
