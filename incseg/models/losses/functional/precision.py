from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Raise half types to float32; float32 and float64 stay as they are."""
    return x.float() if x.dtype.itemsize < 4 else x
