"""The losses of low-resolution logits, computed without full-size tensors."""

from incseg.models.losses.fused.incremental import fused_incremental_loss, fused_losses

__all__ = ['fused_incremental_loss', 'fused_losses']
