from incseg.datasets import colour_map


def test_published_voc_colours():
    """The colours printed in the VOC development kit; others would misread its palette PNGs."""
    colours = colour_map(256)
    assert colours[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[15] == [192, 128, 128]  # person
    assert colours[20] == [0, 64, 128]  # tvmonitor
    assert colours[255] == [224, 224, 192]  # void


def test_no_colour_twice():
    """Two classes in one colour cannot be told apart in a picture."""
    assert len({tuple(c) for c in colour_map(256)}) == 256
