protocol = dict(name='11-5', setting='overlap', class_order=None)
