"""Where arithmetic in bfloat16 pays."""
import torch


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16, and does not emulate it."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == 'cpu' and (
        torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def autocasts(amp: bool | str, device: torch.device) -> bool:
    """Whether training runs under bfloat16 autocast.

    Args:
        amp: ``schedule.amp``: True, False, or ``'auto'`` for where the device
            has the instructions.
        device: What is trained on.
    """
    return computes_in_bfloat16(device) if amp == 'auto' else bool(amp)
