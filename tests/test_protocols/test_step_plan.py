"""A plan says of a closed protocol what the protocol says, and of steps with own sources more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incseg.errors import InvalidInputError
from incseg.protocols import Protocol, Source, Step, StepPlan
from incseg.protocols.protocol import SETTINGS

ANIMALS = Source('voc', ('person', 'cat', 'dog', 'horse'))
HORSES = Source('horses', ('horse', 'person'))
COWS = Source('cows', ('cow',))
PLAN = StepPlan(
    [
        Step('animals', ['person', 'cat', 'dog'], ANIMALS),
        Step('horse', ['horse'], HORSES, old_labels=True, images='all'),
        Step('cow', ['cow'], COWS, old_labels=True, images='all'),
    ]
)


@st.composite
def closed(draw):
    """A random protocol, the names of its classes by dataset id, and its plan."""
    count = draw(st.integers(1, 12))
    order = draw(st.permutations(range(1, count + 1)))
    protocol = Protocol(
        count,
        draw(st.integers(1, count)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from(SETTINGS)),
        order,
    )
    names = [f'class {i}' for i in range(1, count + 1)]
    return protocol, names, StepPlan.of(protocol, names)


@settings(max_examples=400)
@given(closed(), st.integers(0, 2**32 - 1))
def test_a_closed_protocol_is_a_plan(case, seed):
    """If it fails, the same steps written out train another network than the protocol's name."""
    protocol, names, plan = case
    presence = np.random.default_rng(seed).random((9, protocol.num_classes + 1)) < 0.3
    assert plan.num_steps == protocol.num_steps
    for k in range(protocol.num_steps):
        for ids, theirs in (
            (protocol.new(k), plan.new(k)),
            (protocol.old(k), plan.old(k)),
            (protocol.seen(k), plan.seen(k)),
        ):
            assert tuple(names[i - 1] for i in ids) == theirs
        hides = protocol.setting != 'sequential'
        assert plan.hidden(k) == (plan.old(k) if hides else ())
        assert plan.train_ids(plan.old(k)) == tuple(range(1, len(protocol.old(k)) + 1))
        assert plan.outputs_per_step(k) == protocol.outputs_per_step(k)
        for void in (False, True):
            assert (plan.train_lut(k, void) == protocol.train_lut(k, void)).all()
        assert (plan.eval_lut(k) == protocol.eval_lut(k)).all()
        assert (plan.select(presence, k) == protocol.select(presence, k)).all()


def test_labels_of_a_folder_that_also_annotates_an_old_class():
    """Worked example: horse is new (train id 4), person keeps 1; cat and dog are in the
    background."""
    assert PLAN.train_lut(1)[:4].tolist() == [0, 4, 1, 255] and PLAN.train_lut(1)[255] == 255
    assert PLAN.hidden(1) == ('cat', 'dog') and PLAN.train_ids(PLAN.hidden(1)) == (2, 3)
    assert PLAN.train_lut(0)[:6].tolist() == [0, 1, 2, 3, 0, 255] and PLAN.hidden(0) == ()


def test_images_of_another_source_hide_the_new_class():
    """Worked example: VOC's images are shown again when cows are learned; a cow in them is
    background, while the horse, which VOC annotates, is labelled."""
    assert PLAN.train_lut(2, source=ANIMALS)[:6].tolist() == [0, 1, 2, 3, 4, 255]
    assert PLAN.hidden(2, ANIMALS) == ('cow',) and PLAN.hidden(2, COWS) == PLAN.old(2)


def test_test_images_are_labelled_by_what_they_annotate():
    """Worked example: before horse is learned it is void; a class that they do not annotate is
    not there."""
    assert PLAN.eval_lut(0)[:6].tolist() == [0, 1, 2, 3, 255, 255]
    assert PLAN.eval_lut(2, ANIMALS.annotates)[:5].tolist() == [0, 1, 2, 3, 4]
    assert PLAN.eval_lut(2)[:3].tolist() == [0, 5, 255]


def test_all_images_are_taken():
    """If it fails, pictures without the new class, which show what it is not, are left out."""
    presence = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    assert PLAN.select(presence, 1).tolist() == [0, 1, 2]
    with pytest.raises(InvalidInputError, match='presence'):
        PLAN.select(presence, 2)


def test_a_network_serves_a_plan_that_goes_on():
    """If it fails, a taught network is a stranger to the plan that teaches it one class more."""
    longer = PLAN.append(Step('sheep', ['sheep'], Source('sheep', ('sheep',))))
    assert PLAN.fits(longer) and PLAN.fits(PLAN) and not longer.fits(PLAN)
    assert longer.new(3) == ('sheep',) and longer.outputs_per_step(3) == (4, 1, 1, 1)
    other = StepPlan([Step('a', ['cat', 'person', 'dog'], ANIMALS), *PLAN.steps[1:]])
    assert not PLAN.fits(other)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: Step('cow', ['cat'], COWS), "a class of step 'cow' is 'cat', expected 'cow'"),
        (lambda: Step('cow', [], COWS), "classes of step 'cow'"),
        (lambda: Step('cow', ['cow'], COWS, images='some'), "images of step 'cow' is 'some'"),
        (lambda: StepPlan([]), 'steps of a plan'),
        (lambda: PLAN.append(Step('cow', ['cow'], COWS)), "two steps have the name 'cow'"),
        (
            lambda: PLAN.append(Step('more', ['horse'], HORSES)),
            "step 'more' learns 'horse', which step 'horse' learns",
        ),
        (lambda: PLAN.new(3), 'step of the plan is 3'),
    ],
)
def test_mistakes(make, message):
    """If it fails, a plan that cannot be trained is made."""
    with pytest.raises(InvalidInputError, match=message):
        make()
