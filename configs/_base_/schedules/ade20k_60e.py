_base_ = './incremental_30e.py'
epochs = 60
