protocol = dict(name='100-50', setting='overlap', class_order=None)
