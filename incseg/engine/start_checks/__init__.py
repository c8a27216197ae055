from incseg.engine.start_checks.images import check_test
from incseg.engine.start_checks.start import check_start
from incseg.engine.start_checks.weights import check_weights

__all__ = ['check_start', 'check_test', 'check_weights']
