from incseg.evaluation.report import class_table, number, summary


def test_numbers():
    """One decimal everywhere; a dash where there is no number, and 0.0 where there is one."""
    assert [number(value) for value in (None, 0.0, 12.345, 100)] == ['-', '0.0', '12.3', '100.0']


def test_summary_of_many_names():
    """Fifteen class names must not burst the table."""
    assert summary(['a', 'b', 'c']) == 'a, b, c'
    assert summary(['a', 'b', 'c', 'd']) == 'a … d (4)'


def test_class_table():
    """Per-class IoU is what users beg for: every class has a row."""
    table = class_table(dict(iou={'background': 50.0, 'car': None}))
    assert '| background | 50.0 |' in table
    assert '| car        |    - |' in table
