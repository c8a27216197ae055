"""A toy network that knows three classes of Shapes, as a model to go on with."""

from pathlib import Path

from incseg.apis import load_config
from incseg.engine import train_protocol


def toy_model(folder: Path) -> Path:
    """Train step 0 of Shapes' protocol 3-2 for an epoch, and return its ``final.pth``.

    Args:
        folder: An empty folder; base steps are shared below it, and nowhere else.
    """
    from tests.conftest import CONFIGS, TINY, TOY_NETWORK

    options = {**TINY, **TOY_NETWORK, 'protocol.name': '3-2', 'base_steps_dir': str(folder / 'b')}
    config = load_config(CONFIGS / 'mib/bisenet_r18_shapes_4-1.py', options)
    train_protocol(config, folder / 'run', steps=[0])
    return folder / 'run/step_0/final.pth'
