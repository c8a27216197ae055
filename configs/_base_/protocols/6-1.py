protocol = dict(name='6-1', setting='overlap', class_order=None)
