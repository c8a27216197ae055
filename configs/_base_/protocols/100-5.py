protocol = dict(name='100-5', setting='overlap', class_order=None)
