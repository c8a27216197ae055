from incseg.models.segmentors.encoder_decoder import EncoderDecoder
from incseg.models.segmentors.incremental_segmentor import IncrementalSegmentor

__all__ = ['EncoderDecoder', 'IncrementalSegmentor']
