protocol = dict(name='11-1', setting='overlap', class_order=None)
