from incseg.apis.config import load_config
from incseg.apis.inference import inference_model, init_model
from incseg.apis.inferencer import Inferencer
from incseg.apis.prepare import prepare_for_inference

__all__ = ['Inferencer', 'inference_model', 'init_model', 'load_config', 'prepare_for_inference']
