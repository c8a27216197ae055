"""Made-up ledgers, with the settings beside them where a test needs them."""

import json

import pytest

from incseg.evaluation import Ledger

CLASSES = ['background', 'a', 'b', 'c']


@pytest.fixture
def make_run(tmp_path):
    """Write a work dir: ``make_run('mib', 0, [(80., 60.), (50., 40., 30.)])``.

    One tuple a step: IoU of the classes a, b, (c); background is 90.  Classes
    a and b are the base, c is added.
    """

    def make(
        method,
        seed,
        steps,
        *,
        name='2-1',
        dataset='toy',
        setting='overlap',
        settings=None,
        folder=None,
        config=None,
        classes=CLASSES,
    ):
        ledger = Ledger(
            dict(
                config=config or f'configs/{method}/x.py',
                method=method,
                seed=seed,
                protocol=dict(
                    name=name,
                    dataset=dataset,
                    setting=setting,
                    steps=[[1, 2], [3]],
                    classes=classes,
                ),
            ),
            classes[1:3],
            classes[3:],
        )
        for k, values in enumerate(steps):
            ledger.add(
                k,
                dict(iou=dict(zip(classes, (90.0, *values))), accuracy=90.0),
                classes[1:3] if k else [],
                train_images=4,
                seconds=1.0,
            )
        place = tmp_path / (folder or f'{method}_{dataset}_{name}_{setting}_{seed}')
        ledger.write(place)
        if settings is not None:
            (place / 'config.json').write_text(
                json.dumps(dict(settings, seed=seed, protocol=dict(name=name), num_workers=seed))
            )
        return place

    return make
