"""Learning from image-level labels."""
