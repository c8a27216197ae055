protocol = dict(name='3-3', setting='overlap', class_order=None)
