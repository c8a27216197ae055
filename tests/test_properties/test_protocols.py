"""Every protocol cuts the classes into steps, whatever the sizes and the order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.protocols.protocol import SETTINGS

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(0, 9))
)


@st.composite
def protocols(draw, most=254):
    """A protocol of any number of classes, size of steps, setting and order."""
    total = draw(st.integers(1, most))
    return Protocol(
        total,
        draw(st.integers(1, total)),
        draw(st.integers(1, total)),
        draw(st.sampled_from(SETTINGS)),
        draw(st.permutations(range(1, total + 1))),
    )


@given(protocols())
def test_steps_partition_the_classes(protocol):
    """If it fails, a class is learned twice, never, or out of order."""
    assert sum(protocol.steps, ()) == protocol.class_order
    assert sorted(protocol.class_order) == list(range(1, protocol.num_classes + 1))
    sizes = [len(step) for step in protocol.steps]
    assert sizes[0] == protocol.base and min(sizes) > 0
    assert all(size == protocol.increment for size in sizes[1:-1])
    assert len(sizes) == 1 or sizes[-1] == (protocol.remainder or protocol.increment)
    for k in range(protocol.num_steps):
        parts = protocol.old(k), protocol.new(k), protocol.future(k)
        assert sum(parts, ()) == protocol.class_order and protocol.new(k) == protocol.steps[k]
        outputs = protocol.outputs_per_step(k)
        assert len(outputs) == k + 1 and sum(outputs) == 1 + len(protocol.seen(k))


@given(protocols())
def test_a_protocol_is_what_its_name_and_arguments_say(protocol):
    """If it fails, a checkpoint's protocol is another one when it is read."""
    again = Protocol.parse(
        protocol.name, protocol.num_classes, protocol.setting, protocol.class_order
    )
    assert again == protocol == eval(repr(protocol)) and hash(again) == hash(protocol)


@given(protocols(12), st.data())
def test_images_of_a_step(protocol, data):
    """If it fails, a step learns from images that its setting excludes, or misses some."""
    k = data.draw(st.integers(0, protocol.num_steps - 1))
    row = st.lists(
        st.booleans(), min_size=protocol.num_classes + 1, max_size=protocol.num_classes + 1
    )
    presence = data.draw(st.lists(row, max_size=6))
    table = np.array(presence, bool).reshape(len(presence), protocol.num_classes + 1)
    selected = protocol.select(table, k).tolist()
    if protocol.setting == 'partitioned':
        of_steps = [protocol.select(table, j).tolist() for j in range(protocol.num_steps)]
        assert sorted(sum(of_steps, [])) == [i for i, row in enumerate(presence) if any(row[1:])]
        assert all(any(presence[i][c] for c in protocol.new(k)) for i in selected)
        return
    chosen = []
    for i, shown in enumerate(presence):
        new = any(shown[c] for c in protocol.new(k))
        future = any(shown[c] for c in protocol.future(k))
        if new and (protocol.setting == 'overlap' or not future):
            chosen.append(i)
    assert selected == chosen


@given(st.tuples(*[ANYTHING] * 5))
def test_refusals(arguments):
    """If it fails, a wrong argument is a traceback, or a protocol without classes."""
    try:
        protocol = Protocol(*arguments)
    except InvalidInputError as error:
        assert ' is ' in str(error) and 'expected' in str(error) and '\n' not in str(error)
    else:
        assert sorted(protocol.class_order) == list(range(1, protocol.num_classes + 1))


@given(st.one_of(ANYTHING, st.from_regex('[0-9]+[-_ /][0-9]+', fullmatch=True)))
def test_names_that_are_refused(name):
    """If it fails, a mistyped name of a protocol is a traceback or another protocol."""
    try:
        protocol = Protocol.parse(name, 20)
    except InvalidInputError as error:
        assert '\n' not in str(error)
    else:
        base, increment = map(int, name.split('-'))
        assert protocol.base == base <= 20 and protocol.increment in (0, increment)


@given(protocols(20), st.integers(-3, 30))
def test_steps_that_are_not_there(protocol, k):
    """If it fails, step -1 is the last one."""
    if not 0 <= k < protocol.num_steps:
        for method in (protocol.new, protocol.train_lut, protocol.eval_lut):
            with pytest.raises(InvalidInputError, match=f'is {k}, expected a whole number from 0'):
                method(k)
