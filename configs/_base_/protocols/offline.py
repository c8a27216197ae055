protocol = dict(name='offline', setting='overlap', class_order=None)
