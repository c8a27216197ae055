protocol = dict(name='3-1', setting='overlap', class_order=None)
