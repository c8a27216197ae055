protocol = dict(name='15-5', setting='overlap', class_order=None)
