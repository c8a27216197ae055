from incseg.apis.config.loading import load_config
from incseg.apis.inference import Inferencer, inference_model, init_model
from incseg.apis.prediction.predict import predict
from incseg.apis.prepare import prepare_for_inference

__all__ = [
    'Inferencer',
    'inference_model',
    'init_model',
    'load_config',
    'predict',
    'prepare_for_inference',
]
