_base_ = './incremental_30e.py'
epochs = [6, 6]  # of step 0, and of every later one
batch_size = 16
crop_size = 192
schedule = dict(
    lr=dict(base=0.02, added=0.002),  # measured: docs/results, norms and rates
    log_interval=25,
    checkpoint_interval=100,
)
