from incseg.engine.weak.annotation import JointPseudoLabels, PseudoLabels
from incseg.engine.weak.class_lists import ImageLabels
from incseg.engine.weak.seam_training import train_seam

__all__ = ['ImageLabels', 'JointPseudoLabels', 'PseudoLabels', 'train_seam']
