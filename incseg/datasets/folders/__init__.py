"""A folder of somebody's own images and masks: its layout, its classes, its split."""
