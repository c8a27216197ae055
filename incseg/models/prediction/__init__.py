"""How a picture is predicted: at once, in windows, and averaged over flips and scales."""

from incseg.models.prediction.settings import PredictionSettings

__all__ = ['PredictionSettings']
