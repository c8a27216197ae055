from incseg.engine.hooks.finite_loss_hook import FiniteLossHook
from incseg.engine.hooks.incremental_hook import IncrementalHook
from incseg.engine.hooks.iteration_seed_hook import IterationSeedHook
from incseg.engine.hooks.paint_hook import PaintHook
from incseg.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['FiniteLossHook', 'IncrementalHook', 'IterationSeedHook', 'PaintHook',
           'SafeCheckpointHook']
