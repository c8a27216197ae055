protocol = dict(name='15-1', setting='overlap', class_order=None)
