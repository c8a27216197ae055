from incseg.engine.weak.affinity.dataset import AffinityDataset
from incseg.engine.weak.affinity.job import affinity_job
from incseg.engine.weak.affinity.training import train_affinity

__all__ = ['AffinityDataset', 'affinity_job', 'train_affinity']
