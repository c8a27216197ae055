"""Small trainings of Shapes, with a hook that watches or stops them."""

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from side_by_side import ROOT

from incseg.apis.config.loading import load_config
from incseg.engine import train_protocol
from incseg.registry import HOOKS


@HOOKS.register_module(force=True)
class Watch(Hook):
    """Calls ``before`` and ``after``, which are set on the class, around every iteration.

    After an iteration all other hooks come first.
    """

    priority = 'LOWEST'
    before: Any = None
    after: Any = None

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if Watch.before is not None:
            Watch.before(runner, batch_idx)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if Watch.after is not None:
            Watch.after(runner, batch_idx)


def train(leaf: Path, work_dir: Path, toy: bool, options: dict[str, Any], **how: Any) -> Any:
    """Train two or three steps of a Shapes config, no base step shared but those of ``how``.

    Args:
        leaf: The config.
        work_dir: The run's folder.
        toy: Whether at toy size.
        options: Further overrides by dotted key.
        how: Arguments of ``train_protocol``.

    Returns:
        The ledger.
    """
    size, images = (32, 32) if toy else (96, 64)
    config = load_config(
        leaf,
        {
            'data.train.length': images,
            'data.test.length': 4,
            'data.train.size': size,
            'data.test.size': size,
            'crop_size': size - size // 8,
            'batch_size': 4,
            'epochs': 1 if toy else 2,
            'num_workers': 0 if toy else 2,
            'base_steps_dir': str(work_dir.parent / 'base_steps'),
            'schedule.log_interval': 1000,
            'schedule.checkpoint_interval': 1000,
            **options,
        },
    )
    config.custom_hooks = dict(config.custom_hooks or {}, watch=dict(type='Watch'))
    return train_protocol(config, work_dir, **how)


def leaves() -> dict[str, Path]:
    """The Shapes config of every method that has one, by method."""
    found = sorted((ROOT / 'configs').glob('*/bisenet_r18_shapes_4-[12].py'))
    return {path.parent.name: path for path in found}
