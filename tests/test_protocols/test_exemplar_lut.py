"""What is annotated in a replayed image, by hand."""

import pytest

from incseg.protocols import Protocol
from incseg.protocols.exemplars import exemplar_lut

#: learning order 2, 1 | 4 | 3: train ids 2 -> 1, 1 -> 2, 4 -> 3, 3 -> 4
PROTOCOL = Protocol(4, 2, 1, class_order=(2, 1, 4, 3))


@pytest.mark.parametrize(
    ('labels', 'steps', 'expected'),
    [
        ('seen', [0], [0, 2, 1, 0, 3]),
        ('seen', [1], [0, 2, 1, 0, 3]),
        ('own_step', [0], [255, 2, 1, 255, 255]),
        ('own_step', [1], [255, 255, 255, 255, 3]),
        ('own_step', [0, 1], [255, 2, 1, 255, 3]),
    ],
)
def test_at_step_1(labels, steps, expected):
    """Dataset ids 0 to 4.  Class 3 is of the future: background, or unknown; never its train id."""
    lut = exemplar_lut(PROTOCOL, 1, steps, labels)
    assert lut[:5].tolist() == expected and lut.dtype.name == 'uint8'
    assert set(lut[5:]) == {255}


def test_void():
    """As background where the experiment wants that; what is unknown stays unknown."""
    assert exemplar_lut(PROTOCOL, 1, [0], 'seen', void_as_background=True)[255] == 0
    assert exemplar_lut(PROTOCOL, 1, [0], 'own_step', void_as_background=True)[255] == 255


def test_sequential():
    """There old classes are annotated at step 1 too, so an image of step 1 tells them."""
    protocol = Protocol(4, 2, 1, 'sequential', (2, 1, 4, 3))
    assert exemplar_lut(protocol, 2, [1], 'own_step')[:5].tolist() == [255, 2, 1, 255, 3]
    assert exemplar_lut(protocol, 2, [1], 'seen')[:5].tolist() == [0, 2, 1, 4, 3]
