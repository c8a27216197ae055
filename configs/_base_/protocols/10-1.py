protocol = dict(name='10-1', setting='overlap', class_order=None)
