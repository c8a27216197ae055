from incseg.engine.hooks.importance import ImportanceHook
from incseg.engine.hooks.importance_methods import EWCHook, PathIntegralHook, RiemannianWalkHook
from incseg.engine.hooks.method import MethodHook
from incseg.engine.hooks.paint import PaintHook
from incseg.engine.hooks.progress import ProgressHook, show_work_left
from incseg.engine.hooks.run import CompileHook, IterationSeedHook, LossLogHook, SafeCheckpointHook
from incseg.engine.hooks.start import IncrementalHook, StartBackboneHook
from incseg.engine.hooks.weight_fusion import WeightFusionHook

__all__ = [
    'CompileHook',
    'EWCHook',
    'ImportanceHook',
    'IncrementalHook',
    'IterationSeedHook',
    'LossLogHook',
    'MethodHook',
    'PaintHook',
    'PathIntegralHook',
    'ProgressHook',
    'RiemannianWalkHook',
    'SafeCheckpointHook',
    'StartBackboneHook',
    'WeightFusionHook',
    'show_work_left',
]
