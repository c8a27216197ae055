"""The page about open protocols shows a config that loads, and numbers that a training gave."""

import json
import re
from pathlib import Path

from incseg.apis import load_config
from incseg.engine import Experiment
from incseg.evaluation import class_table, results_table

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs/open_protocols.md').read_text()


def test_the_config_of_the_page(tmp_path):
    """If it fails, who copies the config gets an error, or other steps than the page says."""
    text = re.search(r'```python\n(.*?)```', PAGE, re.S)[1]
    assert "_base_ = ['configs/mib/" in text
    (tmp_path / 'my_classes.py').write_text(text.replace("['configs", f"['{ROOT}/configs"))
    plan = Experiment(load_config(tmp_path / 'my_classes.py')).sources.plan
    assert [step.name for step in plan.steps] == ['shapes', 'star', 'cross']
    assert plan.hidden(1) == plan.old(1) and plan.hidden(2) == ('square', 'triangle', 'star')


def test_the_tables_are_those_of_the_ledger():
    """If it fails, the page shows numbers that no training gave."""
    ledger = json.loads((ROOT / 'docs/results/own_folder/open_shapes.json').read_text())
    assert f'{class_table(ledger)}\n{results_table(ledger)}' in PAGE
