protocol = dict(name='4-2', setting='overlap', class_order=None)
