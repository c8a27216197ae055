protocol = dict(name='19-1', setting='overlap', class_order=None)
