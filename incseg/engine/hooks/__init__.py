from incseg.engine.hooks.compile_hook import CompileHook
from incseg.engine.hooks.ewc_hook import EWCHook
from incseg.engine.hooks.importance_hook import ImportanceHook
from incseg.engine.hooks.incremental_hook import IncrementalHook
from incseg.engine.hooks.iteration_seed_hook import IterationSeedHook
from incseg.engine.hooks.loss_log_hook import LossLogHook
from incseg.engine.hooks.method_hook import MethodHook
from incseg.engine.hooks.paint_hook import PaintHook
from incseg.engine.hooks.path_integral_hook import PathIntegralHook
from incseg.engine.hooks.riemannian_walk_hook import RiemannianWalkHook
from incseg.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from incseg.engine.hooks.start_backbone_hook import StartBackboneHook
from incseg.engine.hooks.weight_fusion_hook import WeightFusionHook

__all__ = [
    'CompileHook', 'EWCHook', 'ImportanceHook', 'IncrementalHook', 'IterationSeedHook',
    'LossLogHook', 'MethodHook', 'PaintHook', 'PathIntegralHook', 'RiemannianWalkHook',
    'SafeCheckpointHook', 'StartBackboneHook', 'WeightFusionHook',
]
