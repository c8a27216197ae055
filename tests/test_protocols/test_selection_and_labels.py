"""Images and labels of a step: a mistake here trains on the wrong data."""

import dataclasses
import io
import multiprocessing
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from incseg.errors import InvalidInputError
from incseg.protocols import Protocol

ROOT = Path(__file__).resolve().parents[2]
VOC = ROOT.parent / 'shared' / 'data' / 'voc2012_aug'
SETTINGS = ('overlap', 'disjoint', 'sequential')
ORDER = (3, 1, 5, 2, 4)


def table(protocol: Protocol, lut: np.ndarray) -> list[int]:
    """The part of a table that differs between protocols; the rest must be void."""
    assert lut.dtype == np.uint8 and lut.shape == (256,)
    assert (lut[protocol.num_classes + 1 : 255] == 255).all()  # ids outside the data set
    return lut[: protocol.num_classes + 1].tolist()


# Dataset ids 0..5 of Protocol(5, 2, 2): steps (1, 2), (3, 4), (5,).
TRAIN = {
    'overlap': [[0, 1, 2, 0, 0, 0], [0, 0, 0, 3, 4, 0], [0, 0, 0, 0, 0, 5]],
    'partitioned': [[0, 1, 2, 0, 0, 0], [0, 0, 0, 3, 4, 0], [0, 0, 0, 0, 0, 5]],
    'disjoint': [[0, 1, 2, 0, 0, 0], [0, 0, 0, 3, 4, 0], [0, 0, 0, 0, 0, 5]],
    'sequential': [[0, 1, 2, 0, 0, 0], [0, 1, 2, 3, 4, 0], [0, 1, 2, 3, 4, 5]],
}
EVAL = [[0, 1, 2, 255, 255, 255], [0, 1, 2, 3, 4, 255], [0, 1, 2, 3, 4, 5]]
# The same in the order (3, 1, 5, 2, 4): steps (3, 1), (5, 2), (4,).
ORDERED_TRAIN = {
    'overlap': [[0, 2, 0, 1, 0, 0], [0, 0, 4, 0, 0, 3], [0, 0, 0, 0, 5, 0]],
    'partitioned': [[0, 2, 0, 1, 0, 0], [0, 0, 4, 0, 0, 3], [0, 0, 0, 0, 5, 0]],
    'disjoint': [[0, 2, 0, 1, 0, 0], [0, 0, 4, 0, 0, 3], [0, 0, 0, 0, 5, 0]],
    'sequential': [[0, 2, 0, 1, 0, 0], [0, 2, 4, 1, 0, 3], [0, 2, 4, 1, 5, 3]],
}
ORDERED_EVAL = [[0, 2, 255, 1, 255, 255], [0, 2, 4, 1, 255, 3], [0, 2, 4, 1, 5, 3]]


@pytest.mark.parametrize('setting', [*SETTINGS, 'partitioned'])
@pytest.mark.parametrize('k', [0, 1, 2])
@pytest.mark.parametrize('order', [None, ORDER])
def test_worked_tables(setting, k, order):
    """If it fails, a class has another train id than the worked example."""
    protocol = Protocol(5, 2, 2, setting, order)
    train, test = (TRAIN, EVAL) if order is None else (ORDERED_TRAIN, ORDERED_EVAL)
    assert table(protocol, protocol.train_lut(k)) == train[setting][k]
    assert table(protocol, protocol.eval_lut(k)) == test[k]
    assert protocol.train_lut(k)[255] == protocol.eval_lut(k)[255] == 255
    # MiB's own code trains void as background; nothing else may change.
    as_background = protocol.train_lut(k, void_as_background=True)
    assert table(protocol, as_background) == train[setting][k]
    assert as_background[255] == 0


def test_tables_follow_the_definition(many):
    """If it fails, some protocol maps a dataset id in another way than the definition."""
    for protocol in many:
        for k in {0, protocol.num_steps // 2, protocol.num_steps - 1}:
            learnt = [0, *protocol.seen(k)]  # the train id is the position in this list
            labelled = learnt if protocol.setting == 'sequential' else [0, *protocol.new(k)]
            train, test = protocol.train_lut(k), protocol.eval_lut(k)
            for c in range(256):
                known = 1 <= c <= protocol.num_classes
                in_train = learnt.index(c) if c in labelled else 0 if known else 255
                assert train[c] == in_train, (protocol, c)
                assert test[c] == (learnt.index(c) if c in learnt else 255), (protocol, c)


def test_tables_are_not_shared():
    """If it fails, a caller that changes its table changes that of others."""
    protocol = Protocol(5, 2, 2)
    protocol.train_lut(0)[:] = 9
    protocol.eval_lut(0)[:] = 9
    assert table(protocol, protocol.train_lut(0)) == TRAIN['overlap'][0]
    assert table(protocol, protocol.eval_lut(0)) == EVAL[0]


def test_worked_selection():
    """If it fails, a step has other images than the worked example."""
    shown = [[1], [1, 3], [2, 5], [3, 2], [], [4, 5], [5], [5, 1]]  # classes of eight images
    presence = np.zeros((8, 6), bool)
    for row, classes in zip(presence, shown, strict=True):
        row[classes] = True
    presence[::2, 0] = True  # background is everywhere and nowhere; it must not matter
    expected = {
        'overlap': [[0, 1, 2, 3, 7], [1, 3, 5], [2, 5, 6, 7]],
        'disjoint': [[0], [1, 3], [2, 5, 6, 7]],
        'sequential': [[0], [1, 3], [2, 5, 6, 7]],
    }
    for setting, steps in expected.items():
        protocol = Protocol(5, 2, 2, setting)
        for k, rows in enumerate(steps):
            chosen = protocol.select(presence, k)
            assert chosen.dtype == np.int64 and chosen.tolist() == rows
    assert Protocol(5, 2, 2).select(np.zeros((0, 6), bool), 0).tolist() == []


def test_selection_invariants(many):
    """If it fails, an image is in two disjoint steps, in none, or in the wrong one."""
    for protocol in many[::3]:
        rng = np.random.default_rng(protocol.num_classes)
        presence = rng.random((60, protocol.num_classes + 1)) < 2 / protocol.num_classes
        before = presence.copy()
        by = {s: dataclasses.replace(protocol, setting=s) for s in SETTINGS}
        taken: list[int] = []
        last = protocol.num_steps - 1
        for k in range(protocol.num_steps):
            overlap, disjoint, sequential = (by[s].select(presence, k).tolist() for s in SETTINGS)
            shown = [set(np.flatnonzero(row[1:]) + 1) for row in presence]
            new, future = set(protocol.new(k)), set(protocol.future(k))
            assert overlap == [i for i, c in enumerate(shown) if c & new]
            assert disjoint == [i for i in overlap if not shown[i] & future]
            assert sequential == disjoint
            assert not set(disjoint) & set(taken)  # no image is used twice
            taken += disjoint
            if k == last:
                assert overlap == disjoint
        assert sorted(taken) == np.flatnonzero(presence[:, 1:].any(axis=1)).tolist()
        assert (presence == before).all()


@pytest.mark.parametrize(
    ('presence', 'value'),
    [
        (np.zeros((3, 5), bool), r"\('bool', \(3, 5\)\)"),
        (np.zeros((3, 7), bool), r"\('bool', \(3, 7\)\)"),
        (np.zeros(6, bool), r"\('bool', \(6,\)\)"),
        (np.zeros((3, 6), np.uint8), r"\('uint8', \(3, 6\)\)"),
        ([[True] * 6], r"\('list', \(\)\)"),
    ],
)
def test_unacceptable_presence(presence, value):
    """If it fails, a table of another shape or type selects images."""
    with pytest.raises(InvalidInputError, match=rf'presence is {value}, expected bool and'):
        Protocol(5, 2, 2).select(presence, 0)


def voc_rows(ids: list[str]) -> np.ndarray:
    """Presence of the classes 0..20 in masks that never leave the zip."""
    from PIL import Image

    rows = np.zeros((len(ids), 21), bool)
    with zipfile.ZipFile(VOC / 'SegmentationClassAug.zip') as archive:
        for row, name in zip(rows, ids, strict=True):
            with Image.open(io.BytesIO(archive.read(f'{name}.png'))) as mask:
                assert mask.mode == 'P'
                histogram = np.array(mask.histogram())
            assert not histogram[21:255].any(), name
            row[:] = histogram[:21] > 0
    return rows


@pytest.fixture(scope='session')
def voc_presence() -> np.ndarray:
    """Classes of the 10,582 training images of VOC 2012 + SBD, in the published order."""
    if not (VOC / 'SegmentationClassAug.zip').is_file():
        pytest.skip(f'needs the VOC masks in {VOC}')
    ids = (VOC / 'train_aug.txt').read_text().split()
    half = len(ids) // 2
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context('fork' if 'fork' in methods else None)
    with ProcessPoolExecutor(2, context) as pool:
        return np.concatenate(list(pool.map(voc_rows, [ids[:half], ids[half:]])))


# Images per step, disjoint and overlap.  19-1, 15-5 and 15-1: the split files published with MiB;
# 10-1, 5-3, 2-1 and 5-1: those published with EWF; the others: MiB's rule applied to the masks.
ONE_BY_ONE = [528, 1177, 444, 482, 3898, 487, 299, 491, 500, 548]  # classes 11..20, overlap
ONE_BY_ONE_DISJOINT = [188, 868, 227, 201, 3247, 378, 299, 420, 500, 548]
COUNTS = {
    '19-1': ([10034, 548], [10410, 548]),
    '15-5': ([8437, 2145], [9568, 2145]),
    '15-1': ([8437, 378, 299, 420, 500, 548], [9568, 487, 299, 491, 500, 548]),
    '10-10': ([3706, 6876], [6139, 6876]),
    '10-5': ([3706, 4731, 2145], [6139, 5542, 2145]),
    '10-1': ([3706, *ONE_BY_ONE_DISJOINT], [6139, *ONE_BY_ONE]),
    '5-3': ([1753, 1517, 624, 1296, 3924, 1468], [2836, 2331, 1542, 2095, 4484, 1468]),
    '2-2': (
        [653, 936, 303, 1378, 436, 1056, 428, 3625, 719, 1048],
        [1072, 1151, 1039, 2080, 1345, 1701, 925, 4236, 790, 1048],
    ),
    '2-1': (
        [653, 641, 295, 164, 139, 566, 812, 220, 216, *ONE_BY_ONE_DISJOINT],
        [1072, 698, 461, 654, 385, 1086, 1000, 1081, 264, *ONE_BY_ONE],
    ),
    '5-1': (None, [2836, 385, 1086, 1000, 1081, 264, *ONE_BY_ONE]),
    'offline': ([10582], [10582]),
}


@pytest.mark.parametrize('name', COUNTS)
def test_published_counts(voc_presence, name):
    """If these move, no result of this library can be compared with a published one."""
    by = {s: Protocol.parse(name, num_classes=20, setting=s) for s in SETTINGS}
    chosen = {
        s: [protocol.select(voc_presence, k) for k in range(protocol.num_steps)]
        for s, protocol in by.items()
    }
    counts = {s: [len(rows) for rows in steps] for s, steps in chosen.items()}
    disjoint, overlap = COUNTS[name]
    assert counts['overlap'] == overlap
    if disjoint is not None:
        assert counts['disjoint'] == disjoint
    assert counts['sequential'] == counts['disjoint']
    # Each training image belongs to exactly one step; the last step is the same in all settings.
    assert np.concatenate(chosen['disjoint']).size == 10582
    assert np.unique(np.concatenate(chosen['disjoint'])).tolist() == list(range(10582))
    assert chosen['overlap'][-1].tolist() == chosen['disjoint'][-1].tolist()


def test_published_counts_in_another_order(voc_presence):
    """EWF's 15-5s_b-ov: the added classes are 17, 3, 6, 18 and 10."""
    added = [17, 3, 6, 18, 10]
    order = [c for c in range(1, 21) if c not in added] + added
    protocol = Protocol.parse('15-1', num_classes=20, class_order=order)
    counts = [len(protocol.select(voc_presence, k)) for k in range(protocol.num_steps)]
    assert counts == [9277, 299, 698, 385, 491, 264]


#: images of each class in the partition that Kwak et al. published (VOC 15-1, seed 0)
DRAWN = [533, 298, 665, 377, 349, 249, 717, 894, 533, 232]
DRAWN += [207, 961, 310, 303, 2403, 254, 266, 270, 434, 327]


@pytest.mark.parametrize('order', [None, tuple(range(20, 0, -1))])
def test_published_partition(voc_presence, order):
    """If it fails, the draws are others than those of the published lists (compared by id once)."""
    protocol = Protocol.parse('15-1', 20, 'partitioned', order)
    chosen = [protocol.select(voc_presence, k) for k in range(protocol.num_steps)]
    assert [len(rows) for rows in chosen] == [sum(DRAWN[c - 1] for c in s) for s in protocol.steps]
    assert sorted(np.concatenate(chosen).tolist()) == list(range(10582))
