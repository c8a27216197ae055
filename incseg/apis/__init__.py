from incseg.apis.config import load_config
from incseg.apis.inference import inference_model, init_model
from incseg.apis.inferencer import Inferencer

__all__ = ['Inferencer', 'inference_model', 'init_model', 'load_config']
