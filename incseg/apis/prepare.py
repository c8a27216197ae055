from copy import deepcopy

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from incseg.models import EncoderDecoder, IncrementalSegmentor
from incseg.models.batch_norm_folding import fold_batch_norm
from incseg.models.decode_heads import GrowingClassifier
from incseg.utils.precision import computes_in_bfloat16
from incseg.utils.rules import any_of, expected

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
#: the parts that run at prediction
PARTS = ('backbone', 'decode_head')


def prepare_for_inference(
    model: EncoderDecoder, dtype: str = 'auto', channels_last: bool = True, compile: bool = False
) -> EncoderDecoder:
    """Copy a network into a faster one that can only predict.

    The copy folds each BatchNorm into the convolution before it and joins the
    classifiers of all steps into one convolution; it has no auxiliary heads, no
    teacher and no dropout.  It keeps ``dataset_meta`` and ``config``, but not
    the names of ``state_dict``.

    Args:
        model: The network; it is not changed.
        dtype: Type of the weights and of all maps up to the logits.
            ``'float32'`` predicts what the network predicts, up to rounding;
            ``'bfloat16'`` and ``'float16'`` differ at a few pixels; ``'auto'``
            is bfloat16 where the device computes in it, else float32.
        channels_last: Whether convolutions use the channels-last layout.
        compile: Whether backbone and head go through :func:`torch.compile`;
            the first images of a new size then take seconds to minutes.

    Returns:
        The copy in eval mode, on the same device, without gradients.

    Raises:
        ValueError: If the dtype is not one of these.
    """
    weights = weight_type(dtype, next(model.parameters()).device)
    fast = without_training_parts(model).float()  # norms are folded at full precision
    merge_classifiers(fast)
    fold_batch_norm(fast, PARTS, fast)
    set_layout(fast, channels_last)
    for name in PARTS:  # not the preprocessor: mean and deviation stay exact
        part = getattr(fast, name).to(weights)
        if compile:
            part.compile()
    return fast


def weight_type(dtype: str, device: torch.device) -> torch.dtype:
    """Return the dtype that a name means on a device.

    Args:
        dtype: ``'float32'``, ``'bfloat16'``, ``'float16'`` or ``'auto'``, which is bfloat16 on a
            device that computes in it, else float32.
        device: The device of the network.

    Raises:
        ValueError: The name is unknown.
    """
    if dtype != 'auto':
        if dtype not in DTYPES:
            raise expected('dtype', dtype, any_of(('auto', *DTYPES)))
        return DTYPES[dtype]
    return torch.bfloat16 if computes_in_bfloat16(device) else torch.float32


def without_training_parts(model: EncoderDecoder) -> EncoderDecoder:
    """Copy a network in eval mode without auxiliary heads, teacher, distillation, dropout."""
    fast = deepcopy(model).eval().requires_grad_(False)
    fast.zero_grad()
    fast.auxiliary_head = nn.ModuleDict()
    if isinstance(fast, IncrementalSegmentor):
        fast.set_teacher(None)
        fast.distillation, fast.target_labeller = nn.ModuleDict(), None
    for module in list(fast.modules()):
        for name, child in module.named_children():
            if isinstance(child, _DropoutNd):
                setattr(module, name, nn.Identity())
    return fast


def merge_classifiers(model: EncoderDecoder) -> None:
    """Join the classifiers of all steps in the principal head into one convolution.

    Args:
        model: The network, changed in place; another kind of classifier stays as it is.
    """
    growing = model.decode_head.classifier
    if type(growing) is not GrowingClassifier:  # a subclass may compute something else
        return
    merged = nn.Conv2d(growing.convs[0].in_channels, growing.num_outputs, 1)
    merged.load_state_dict(
        {
            name: torch.cat([getattr(conv, name) for conv in growing.convs])
            for name in ('weight', 'bias')
        }
    )
    model.decode_head.classifier = merged.to(growing.convs[0].weight).requires_grad_(False)


def set_layout(model: EncoderDecoder, channels_last: bool) -> None:
    """Set the memory layout of the weights and of all later images.

    Args:
        model: The network, changed in place.
        channels_last: Whether the layout is channels-last, else contiguous.
    """
    model.memory_format = torch.channels_last if channels_last else torch.contiguous_format
    model.to(memory_format=model.memory_format)  # type: ignore[call-overload]
