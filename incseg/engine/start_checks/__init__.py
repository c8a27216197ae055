from incseg.engine.start_checks.images import check_test
from incseg.engine.start_checks.start import check_start

__all__ = ['check_start', 'check_test']
