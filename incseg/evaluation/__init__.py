from incseg.evaluation.homes import HomeMetric
from incseg.evaluation.ledger import Ledger
from incseg.evaluation.metric import ConfusionMetric
from incseg.evaluation.report import class_table, results_table

__all__ = ['ConfusionMetric', 'HomeMetric', 'Ledger', 'class_table', 'results_table']
