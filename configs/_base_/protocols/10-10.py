protocol = dict(name='10-10', setting='overlap', class_order=None)
