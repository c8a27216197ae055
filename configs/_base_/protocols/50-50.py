protocol = dict(name='50-50', setting='overlap', class_order=None)
