"""The steps of a protocol: their classes, names, and arguments that are refused."""

import copy
import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from incseg.errors import InvalidInputError
from incseg.protocols import Protocol

ROOT = Path(__file__).resolve().parents[2]
ORDER = (3, 1, 5, 2, 4)


@pytest.mark.parametrize(
    ('name', 'sizes'),
    [
        ('19-1', [19, 1]),
        ('15-5', [15, 5]),
        ('15-1', [15, 1, 1, 1, 1, 1]),
        ('15-2', [15, 2, 2, 1]),  # the last step takes what is left
        ('15-9', [15, 5]),
        ('10-5', [10, 5, 5]),
        ('5-3', [5, 3, 3, 3, 3, 3]),
        ('20-1', [20]),
        ('20-0', [20]),
        ('offline', [20]),
    ],
)
def test_step_sizes(name, sizes):
    """If it fails, a named protocol has other steps than in the literature."""
    protocol = Protocol.parse(name, num_classes=20)
    assert [len(step) for step in protocol.steps] == sizes
    assert protocol.num_steps == len(sizes)
    assert sum(protocol.steps, ()) == tuple(range(1, 21))


@pytest.mark.parametrize(
    ('name', 'left'),
    [('15-1', 0), ('15-2', 1), ('15-9', 5), ('16-8', 4), ('19-2', 1), ('20-3', 0), ('offline', 0)],
)
def test_remainder(name, left):
    """If it fails, a last step that is smaller than the name says is not told, or another is."""
    assert Protocol.parse(name, num_classes=20).remainder == left


def test_worked_steps():
    """If it fails, the classes of a step differ from the worked example."""
    protocol = Protocol(5, 2, 2, 'disjoint', ORDER)
    assert protocol.steps == ((3, 1), (5, 2), (4,))
    assert [protocol.new(k) for k in range(3)] == [(3, 1), (5, 2), (4,)]
    assert [protocol.old(k) for k in range(3)] == [(), (3, 1), (3, 1, 5, 2)]
    assert [protocol.seen(k) for k in range(3)] == [(3, 1), (3, 1, 5, 2), ORDER]
    assert [protocol.future(k) for k in range(3)] == [(5, 2, 4), (4,), ()]
    assert [protocol.outputs_per_step(k) for k in range(3)] == [(3,), (3, 2), (3, 2, 1)]
    assert (protocol.base_classes, protocol.added_classes) == ((3, 1), (5, 2, 4))
    assert (protocol.num_classes, protocol.base, protocol.increment) == (5, 2, 2)
    assert (protocol.setting, protocol.class_order, protocol.name) == ('disjoint', ORDER, '2-2')


def test_steps_partition_the_classes(many):
    """If it fails, a class is learned twice or never."""
    for protocol in many:
        assert sum(protocol.steps, ()) == protocol.class_order
        assert sorted(protocol.class_order) == list(range(1, protocol.num_classes + 1))
        assert protocol.base_classes == protocol.new(0)
        assert protocol.base_classes + protocol.added_classes == protocol.class_order
        for k in range(protocol.num_steps):
            assert protocol.new(k)
            assert protocol.old(k) + protocol.new(k) == protocol.seen(k)
            assert protocol.seen(k) + protocol.future(k) == protocol.class_order
            assert sum(protocol.outputs_per_step(k)) == 1 + len(protocol.seen(k))
            assert len(protocol.outputs_per_step(k)) == k + 1
            for ids in (protocol.new(k), protocol.old(k), protocol.seen(k), protocol.future(k)):
                assert all(type(c) is int for c in ids)  # they go into strict JSON


def test_name_and_repr_round_trip(many):
    """If it fails, a protocol is another one after a checkpoint or a worker process."""
    for protocol in many:
        again = Protocol.parse(
            protocol.name, protocol.num_classes, protocol.setting, protocol.class_order
        )
        assert again == protocol and hash(again) == hash(protocol)
        assert eval(repr(protocol)) == protocol
        for same in (copy.deepcopy(protocol), pickle.loads(pickle.dumps(protocol))):
            assert same == protocol and same.steps == protocol.steps


def test_equality_is_by_meaning():
    """If it fails, equal protocols do not share a base step, or different ones do."""
    assert Protocol(4, 2, 1) == Protocol(4, 2, 1, 'overlap', [1, 2, 3, 4])
    assert Protocol(4, 2, 1) == Protocol(np.int64(4), np.int32(2), 1, class_order=np.arange(1, 5))
    assert Protocol(4, 4, 3) == Protocol.parse('offline', num_classes=4)
    assert Protocol.parse('offline', num_classes=4).name == 'offline'
    others = [
        Protocol(4, 2, 2),
        Protocol(4, 1, 1),
        Protocol(5, 2, 1),
        Protocol(4, 2, 1, 'disjoint'),
        Protocol(4, 2, 1, class_order=[2, 1, 3, 4]),
    ]
    assert len({Protocol(4, 2, 1), *others}) == 6
    changed = dataclasses.replace(Protocol(4, 2, 1, class_order=(1, 2, 3, 4)), base=3)
    assert changed.steps == ((1, 2, 3), (4,))


def test_protocol_cannot_be_changed():
    """If it fails, a protocol can change after its steps were computed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Protocol(4, 2, 1).setting = 'disjoint'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 1, 1), r'^num_classes is 0, expected a whole number from 1 to 254 \(uint8 masks'),
        ((255, 1, 1), r'^num_classes is 255, .* from 1 to 254'),
        ((-3, 1, 1), '^num_classes is -3, '),
        ((True, 1, 1), '^num_classes is True, expected a whole number'),
        ((20.0, 15, 1), r'^num_classes is 20\.0, expected a whole number'),
        (('20', 15, 1), "^num_classes is '20', expected a whole number"),
        ((None, 15, 1), '^num_classes is None, '),
        ((20, 0, 1), r'^base is 0, expected a whole number from 1 to 20 \(num_classes\)$'),
        ((20, 21, 1), '^base is 21, expected a whole number from 1 to 20'),
        ((20, True, 1), '^base is True, '),
        ((20, [15], 1), r'^base is \[15\], '),
        ((20, 15, 0), '^increment is 0, expected a whole number of at least 1$'),
        ((20, 15, -1), '^increment is -1, .* at least 1$'),
        ((20, 20, -1), '^increment is -1, .* at least 0$'),
        ((20, 15, 1.5), r'^increment is 1\.5, '),
        ((20, 15, False), '^increment is False, '),
        (
            (20, 15, 1, 'overlapped'),
            "^setting is 'overlapped', expected 'overlap', .*; did you mean 'overlap'.$",
        ),
        ((20, 15, 1, None), '^setting is None, expected '),
        (
            (5, 2, 1, 'overlap', [1, 2, 2, 4, 4]),
            r'^class_order is \[1, 2, 2, 4, 4\], .*1..5 once; repeated: 2, 4; missing: 3, 5$',
        ),
        ((5, 2, 1, 'overlap', [1, 2, 3]), r'^class_order is \[1, 2, 3\], .*once; missing: 4, 5$'),
        (
            (3, 2, 1, 'overlap', [1, 2, 3, 3]),
            r'^class_order is \[1, 2, 3, 3\], .*once; repeated: 3$',
        ),
        (
            (3, 2, 1, 'overlap', [0, 1, 2, 3]),
            r'^class_order is \[0, 1, 2, 3\], expected each of 1..3 once; not a class: 0$',
        ),
        ((3, 2, 1, 'overlap', [True, 2, 3]), '; missing: 1; not a class: True$'),
        ((3, 2, 1, 'overlap', [1.0, 2, 3]), r'; missing: 1; not a class: 1\.0$'),
        ((3, 2, 1, 'overlap', '123'), '; missing: 1, 2, 3; not a class: 1, 2, 3$'),
        ((3, 2, 1, 'overlap', 7), '; not a class: 7$'),
    ],
)
def test_unacceptable_arguments(arguments, message):
    """If it fails, an argument out of range passes or is not named in one line."""
    with pytest.raises(InvalidInputError, match=message) as caught:
        Protocol(*arguments)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'name', ['15', '15-', '-1', '15-1-1', '15_1', 'a-b', '', ' 15-1', '15-1s', 15]
)
def test_unparsable_name(name):
    """If it fails, a mistyped name becomes another protocol."""
    with pytest.raises(InvalidInputError, match=r"expected '<base>-<increment>', such as '15-1'"):
        Protocol.parse(name, num_classes=20)


def test_parsed_numbers_are_checked():
    """If it fails, numbers in a name are not checked as arguments are."""
    with pytest.raises(InvalidInputError, match=r'^base is 25, .* from 1 to 20'):
        Protocol.parse('25-1', num_classes=20)
    with pytest.raises(InvalidInputError, match=r'^num_classes is 0, '):
        Protocol.parse('offline', num_classes=0)


@pytest.mark.parametrize('k', [-1, 6, True, 1.0, '1', None])
def test_no_such_step(k):
    """If it fails, a step that does not exist has classes, tables or images."""
    protocol = Protocol.parse('15-1', num_classes=20)
    calls = [protocol.new, protocol.old, protocol.seen, protocol.future, protocol.outputs_per_step]
    calls += [protocol.train_lut, protocol.eval_lut]
    calls += [lambda k: protocol.select(np.zeros((1, 21), bool), k)]
    for call in calls:
        with pytest.raises(InvalidInputError) as caught:
            call(k)
        message = f'step of protocol 15-1 is {k!r}, expected a whole number from 0 to 5'
        assert str(caught.value) == message


def test_protocols_need_no_torch():
    """A stray import would make every config tool and every worker pay for torch."""
    heavy = ('torch', 'torchvision', 'mmengine', 'mmcv', 'cv2', 'PIL')
    code = f'import sys, incseg.protocols; print([m for m in {heavy} if m in sys.modules])'
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == '[]'


def test_repr_of_the_usual_order():
    """If it fails, a message shows an order that nobody chose, or hides one."""
    assert repr(Protocol(5, 3, 1)) == (
        "Protocol(num_classes=5, base=3, increment=1, setting='overlap')"
    )
    assert ', class_order=(2, 1, 3))' in repr(Protocol(3, 2, 1, class_order=[2, 1, 3]))
