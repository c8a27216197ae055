"""What every registered set of tables of steps promises, of which an IncrementalDataset is made."""

import numpy as np

from incseg.constants import VOID
from incseg.datasets.steps.planned_steps import plain_step
from incseg.protocols import Protocol, StepPlan
from incseg.registry import TASK_UTILS
from tests.common.contract import Contract, Example

NAMES = [f'class {i}' for i in range(1, 7)]
PROTOCOL = Protocol.parse('2-2', num_classes=6, class_order=[6, 1, 2, 5, 4, 3])
STEPS = [plain_step(step) for step in StepPlan.of(PROTOCOL, NAMES).steps]
#: The promise: the protocol whose tables they are.
TABLES = Contract(
    'tables of steps',
    TASK_UTILS,
    'incseg.datasets.steps',
    dict(PlannedSteps=Example(PROTOCOL, dict(), dict(annotates=NAMES), steps=STEPS)),
    __file__,
)


@TABLES.each_way()
def test_tables_of_a_known_protocol(name, options):
    """If it fails, images are trained or tested with labels of other classes, or are left out."""
    tables, known = TABLES.build(name, **options), TABLES[name].promise
    presence = np.random.default_rng(0).random((20, 7)) < 0.3
    for k in range(known.num_steps):
        assert (tables.new(k), tables.seen(k)) == (known.new(k), known.seen(k))
        assert (tables.select(presence, k) == known.select(presence, k)).all()
        for void in (False, True):
            assert (tables.train_lut(k, void) == known.train_lut(k, void)).all()
        assert (tables.eval_lut(k) == known.eval_lut(k)).all()
        assert tables.hidden(k) == tuple(range(1, 1 + len(known.old(k))))
        assert tuple(tables.outputs_per_step(k)) == known.outputs_per_step(k)
        lut, hidden = tables.exemplar(k, [0], 'seen')
        assert hidden == () and {*lut[1:7].tolist()} == {0, *range(1, 1 + len(known.seen(k)))} - (
            {0} if k == known.num_steps - 1 else set()
        )
        own, _ = tables.exemplar(k, [0], 'own_step')
        assert {*own.tolist()} == {1, 2, VOID}
