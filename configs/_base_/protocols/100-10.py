protocol = dict(name='100-10', setting='overlap', class_order=None)
