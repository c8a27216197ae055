import numpy as np

from incseg.engine.figures.layout import LINE, text_width, with_legend, with_row_names

PICTURE = np.full((40, 60, 3), 90, np.uint8)


def test_row_names():
    """Each beside its own row, the picture as it was; the longest name has its place."""
    names = ['a', '2007_000032']
    made = with_row_names(PICTURE, names, top=0, distance=20)
    assert (made[:, :60] == 90).all() and made.shape == (40, 72 + text_width(names[1]), 3)
    inked = (made[:, 60:] < 128).any(2)
    assert inked[:20].sum() < inked[20:].sum() and inked[:20].any()
    assert (made[:, -3:] == 255).all(), 'no name is cut off'


def test_legend():
    """Classes in their own colours, RGB as in a palette, wrapped into lines and never cut."""
    classes = {'cross': (190, 60, 200), 'a much longer name': (230, 50, 50)}
    made = with_legend(PICTURE, classes)
    assert made.shape[0] == 40 + 2 * LINE and made.shape[1] >= 14 + text_width('a much longer name')
    assert (made[:40, :60] == 90).all()
    for line, colour in enumerate(classes.values()):
        box = made[40 + line * LINE + 4 : 40 + line * LINE + 18, :14]
        assert (box == colour[::-1]).all()
    wide = with_legend(np.zeros((4, 600, 3), np.uint8), classes)
    assert wide.shape == (4 + LINE, 600, 3), 'one line where there is room'
