"""A look into a folder of pictures and masks, and a config that trains on it."""
