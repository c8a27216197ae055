annotation = dict(  # in place of masks: pseudo-labels, made from image-level labels
    steps='added',  # 'all': of the base classes too
    folder=None,  # of pseudo-labels that are there; None: `seam` makes them where they are missing
    threshold=None,  # the background's score, in place of seam.inference.background
    uncertain=None,  # void is what is closer to the background than this
    gating=False,
)  # whether only classes of the image's labels may occur
