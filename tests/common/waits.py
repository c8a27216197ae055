"""A stand-in for a GPU that counts where the CPU would wait for it.

Its tensors lie in the CPU's memory and say that they are on another device, so that the code takes
its way for a GPU.  The kernels of Triton are not run: the losses take their plain form.
"""

import traceback
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
#: a device that torch knows without its hardware; autograd runs it in the calling thread
DEVICE = torch.device('meta')
#: operations that hand a number or a shape to the CPU: .item() and bool(), nonzero, unique …
READS = {
    *('_local_scalar_dense', 'is_nonzero', 'equal', 'nonzero', 'masked_select', 'bincount'),
    *('_unique', '_unique2', 'unique_dim', 'unique_consecutive', 'unique_dim_consecutive'),
    *('repeat_interleave', 'multinomial', 'allclose', '_linalg_check_errors'),
}


class OnDevice(torch.Tensor):
    """A tensor that says it is on the device; ``held`` has its values."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=DEVICE,
        )

    def __init__(self, held):
        self.held = held

    def tolist(self):
        return self.cpu().tolist()

    def __format__(self, spec):
        return format(self.item(), spec) if spec else repr(self)

    def new_tensor(self, data, **kwargs):
        return torch.tensor(data, **{'dtype': self.dtype, 'device': DEVICE, **kwargs})

    def __setitem__(self, index, value):
        if isinstance(value, (bool, int, float)):  # a GPU's torch leaves numbers on the CPU
            value = torch.tensor(value, dtype=self.dtype)
        super().__setitem__(index, value)

    def numpy(self, **kwargs):
        raise TypeError("can't convert a tensor on the device to numpy: use .cpu()")

    def __repr__(self):
        return f'OnDevice({self.held})'

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f'{func} on the device after its StandIn has ended')


class StandIn(TorchDispatchMode):
    """While it is active, ``DEVICE`` computes, and waits for it are noted in ``waits``.

    Attributes:
        waits: What was waited for, with its place in the code, since ``counting`` began.
    """

    def __init__(self):
        super().__init__()
        self.waits, self.noting = [], False

    def __enter__(self):
        self.tensor = torch.tensor  # which makes an empty one on 'meta'

        def tensor(data, *, device=None, **kwargs):
            made = self.tensor(data, **kwargs)
            return made if device is None else made.to(device)

        torch.tensor = tensor
        return super().__enter__()

    def __exit__(self, *error):
        torch.tensor = self.tensor
        return super().__exit__(*error)

    @contextmanager
    def counting(self):
        """Note the waits of a block, from none; yields the list."""
        self.waits, self.noting = [], True
        try:
            yield self.waits
        finally:
            self.noting = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        leaves = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        ours = {id(x.held): x for x in leaves if isinstance(x, OnDevice)}
        asked = kwargs.get('device')
        there = bool(ours) if asked is None else torch.device(asked) == DEVICE
        if self.noting and (ours or there) and (why := waits_for(func, args, kwargs, there)):
            self.waits.append(f'{why} at {place_of_call()}')
        if asked is not None and there:
            kwargs['device'] = torch.device('cpu')
        if func is aten.copy_.default:
            there = isinstance(args[0], OnDevice)
        args, kwargs = tree_map_only(OnDevice, lambda x: x.held, (args, kwargs))
        out = func(*args, **kwargs)
        if not there:
            return out
        return tree_map_only(
            torch.Tensor, lambda x: ours[id(x)] if id(x) in ours else OnDevice(x), out
        )


def place_of_call():
    """The innermost line of the library; outside it, that of the caller of torch."""
    frames = traceback.extract_stack()[:-2]
    ours = [f for f in frames if '/incseg/' in f.filename and '/tests/' not in f.filename]
    place = (ours or [f for f in frames if '/torch/' not in f.filename])[-1]
    return f'{place.filename}:{place.lineno} {place.line}'


def waits_for(func, args, kwargs, there):
    """What an operation makes the CPU wait for; None if it does not."""
    name = func._schema.name.removeprefix('aten::')
    if name in READS:
        return name
    if name == '_to_copy' and kwargs.get('device') is not None:
        moved = isinstance(args[0], OnDevice) != there
        return name if moved and not (there and kwargs.get('non_blocking')) else None
    if name == 'copy_':
        moved = isinstance(args[0], OnDevice) != isinstance(args[1], OnDevice)
        sent = isinstance(args[0], OnDevice) and (
            args[2:3] == (True,) or kwargs.get('non_blocking')
        )
        return name if moved and not sent else None
    if name in ('index', 'index_put', 'index_put_', '_index_put_impl_'):
        used = [x for x in args[1] if x is not None]
        if any(x.dtype in (torch.bool, torch.uint8) for x in used):
            value = None if name == 'index' else args[2]
            filled = value is not None and value.numel() == 1 and not isinstance(value, OnDevice)
            return None if filled else f'{name} by a mask'
        if any(not isinstance(x, OnDevice) for x in used):
            return f'{name} by numbers on the CPU'
        return None
    plain = [x for x in tree_leaves(args) if isinstance(x, torch.Tensor)]
    mixed = [x for x in plain if not isinstance(x, OnDevice) and x.dim()]
    assert not (mixed and there), f'{func} would fail: tensors on two devices'
    return None


@contextmanager
def stand_in(monkeypatch, device=None):
    """Train and evaluate on a stand-in inside the block; yields it."""
    autocast = torch.autocast

    def for_a_cpu(device_type, *args, **kwargs):
        return autocast('cpu' if device_type == 'meta' else device_type, *args, **kwargs)

    monkeypatch.setattr(torch, 'autocast', for_a_cpu)
    monkeypatch.setattr('mmengine.runner.runner.get_device', lambda: 'meta')
    with device or StandIn() as active:
        yield active
