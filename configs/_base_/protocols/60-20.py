protocol = dict(name='60-20', setting='overlap', class_order=None)
