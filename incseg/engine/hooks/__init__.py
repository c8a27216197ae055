from incseg.engine.hooks.compile_hook import CompileHook
from incseg.engine.hooks.incremental_hook import IncrementalHook
from incseg.engine.hooks.iteration_seed_hook import IterationSeedHook
from incseg.engine.hooks.loss_log_hook import LossLogHook
from incseg.engine.hooks.method_hook import MethodHook
from incseg.engine.hooks.paint_hook import PaintHook
from incseg.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from incseg.engine.hooks.start_backbone_hook import StartBackboneHook

__all__ = ['CompileHook', 'IncrementalHook', 'IterationSeedHook', 'LossLogHook', 'MethodHook',
           'PaintHook', 'SafeCheckpointHook', 'StartBackboneHook']
