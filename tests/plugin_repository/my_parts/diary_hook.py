import json
import os
from pathlib import Path

from mmengine.hooks import Hook

from incseg.registry import HOOKS


@HOOKS.register_module()
class DiaryHook(Hook):
    """Writes what a step has seen into ``diary.json`` of its folder.

    ``MY_PARTS_STOP=step_1:3`` stops that step after three iterations, as Ctrl-C would.
    """

    priority = 'NORMAL'

    def __init__(self, name='diary'):
        self.name = name
        self.stop = os.environ.get('MY_PARTS_STOP', '')

    def before_train(self, runner):
        self.first, self.images, self.losses = runner.iter, 0, set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        samples = data_batch['data_samples']
        assert len(samples) == len({sample.image_id for sample in samples})
        self.images += len(data_batch['inputs'])
        self.losses |= set(outputs)
        if self.stop == f'{Path(runner.work_dir).name}:{batch_idx + 1}':
            raise KeyboardInterrupt

    def after_train(self, runner):
        content = dict(
            first=self.first,
            last=runner.iter,
            images=self.images,
            losses=sorted(self.losses),
            outputs=runner.model.decode_head.num_old,
        )
        Path(runner.work_dir, f'{self.name}.json').write_text(json.dumps(content))
