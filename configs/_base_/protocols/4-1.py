protocol = dict(name='4-1', setting='overlap', class_order=None)
