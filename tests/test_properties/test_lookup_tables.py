"""Look-up tables give every pixel the label that its step trains or tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incseg.datasets.label_maps import LabelReader
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.protocols.protocol import SETTINGS


@st.composite
def steps(draw):
    """A protocol and one of its steps."""
    total = draw(st.integers(1, 254))
    protocol = Protocol(
        total,
        draw(st.integers(1, total)),
        draw(st.integers(1, total)),
        draw(st.sampled_from(SETTINGS)),
        draw(st.permutations(range(1, total + 1))),
    )
    return protocol, draw(st.integers(0, protocol.num_steps - 1))


@given(steps(), st.booleans())
def test_training_labels(case, void_as_background):
    """If it fails, a step learns a class that it must not know, or void."""
    protocol, k = case
    lut = protocol.train_lut(k, void_as_background)
    assert lut.shape == (256,) and lut.dtype == np.uint8
    visible = set(protocol.new(k))
    if protocol.setting == 'sequential':
        visible |= set(protocol.old(k))
    for i in range(256):
        if i == 0:
            label = 0
        elif i == 255:
            label = 0 if void_as_background else 255
        elif i > protocol.num_classes:
            label = 255
        else:
            label = 1 + protocol.class_order.index(i) if i in visible else 0
        assert lut[i] == label, i


@given(steps())
def test_test_labels(case):
    """If it fails, scores count classes that come later, or void."""
    protocol, k = case
    lut, seen = protocol.eval_lut(k), protocol.seen(k)
    wanted = [1 + seen.index(i) if i in seen else 255 for i in range(256)]
    assert lut.tolist() == [0, *wanted[1:]]
    assert sorted({*lut.tolist()} - {255}) == list(range(1 + len(seen)))


@st.composite
def readers(draw):
    """Arguments of a reader: file ids of any order and of any gaps, and void ids."""
    total = draw(st.integers(1, 254))
    chosen = draw(st.lists(st.integers(0, 255), min_size=1, max_size=40, unique=True))
    cut = draw(st.integers(1, len(chosen)))
    dataset_ids = st.one_of(st.integers(0, total), st.just(255))
    file_ids = {i: draw(dataset_ids) for i in chosen[:cut]}
    return total, file_ids, tuple(chosen[cut:])


@given(readers(), st.data())
def test_files_are_read_as_the_table_says(case, data):
    """If it fails, an id of a file is another class, or a foreign id passes unseen."""
    total, file_ids, void = case
    reader = LabelReader(total, file_ids, void)
    ids = data.draw(st.lists(st.integers(0, 255), min_size=1, max_size=30))
    if data.draw(st.booleans()):  # else nearly all have a foreign id
        allowed = [*file_ids, *void]
        ids = [allowed[i % len(allowed)] for i in ids]
    label_map = np.array([ids], np.uint8)
    before = label_map.copy()
    foreign = sorted({i for i in ids if i not in file_ids and i not in void})
    assert reader.has_foreign(label_map) == bool(foreign)
    if foreign:
        with pytest.raises(InvalidInputError, match=f'outside the data set: {foreign[0]} '):
            reader.convert(label_map, 'a.png')
    else:
        read = reader.convert(label_map, 'a.png')
        assert read.tolist() == [[file_ids.get(i, 255) for i in ids]]
        lut = np.random.default_rng(0).permutation(256).astype(np.uint8)
        assert (reader.convert(label_map, 'a.png', lut) == lut[read]).all()
    assert (label_map == before).all()
