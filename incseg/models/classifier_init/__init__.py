from incseg.models.classifier_init.background_balanced_init import BackgroundBalancedInit
from incseg.models.classifier_init.random_init import RandomInit

__all__ = ['BackgroundBalancedInit', 'RandomInit']
