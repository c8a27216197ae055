protocol = dict(name='6-5', setting='overlap', class_order=None)
