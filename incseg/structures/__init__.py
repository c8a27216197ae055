from incseg.structures.network_outputs import NetworkOutputs
from incseg.structures.seg_data_sample import SegDataSample

__all__ = ['NetworkOutputs', 'SegDataSample']
