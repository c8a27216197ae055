_base_ = './incremental_30e.py'
epochs = 50
crop_size = (512, 1024)
