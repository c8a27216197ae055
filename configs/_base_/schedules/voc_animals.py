epochs = [6, 6]  # of step 0, and of every later one
batch_size = 16
crop_size = 192
schedule = dict(
    lr=dict(base=0.02, added=0.01),
    optimizer=dict(type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4),
    poly_power=0.9,
    amp='auto',  # bfloat16 autocast where the device has instructions for it
    compile=False,
    tf32=True,
    pin_memory=True,
    log_interval=25,
    checkpoint_interval=100,
)
