"""The devices of a matrix: each trains one run at a time."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from incseg.errors import InvalidInputError
from incseg.utils.rules import similar

CPU = 'cpu'
FORM = "numbers of CUDA devices and 'cpu' with commas, as in 0,1,2,3 or cpu,cpu"


@dataclass(frozen=True)
class Device:
    """A place for one run at a time.

    Args:
        name: What lines of output call it: ``'device 0'``, ``'cpu'``, ``'cpu 2'``; empty for the
            only place of a matrix without ``--devices``.
        cuda: The ``CUDA_VISIBLE_DEVICES`` of its runs, empty for none; None leaves it.
        threads: The ``OMP_NUM_THREADS`` of its runs where it is not set; None leaves it.
    """

    name: str = ''
    cuda: str | None = None
    threads: int | None = None

    @property
    def kind(self) -> str:
        """The kind of device, on which the network of a base step depends."""
        return 'any' if self.cuda is None else 'cuda' if self.cuda else CPU

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of a run on the device, beside those that there are.

        Args:
            environment: The variables that there are.
        """
        found = {} if self.cuda is None else {'CUDA_VISIBLE_DEVICES': self.cuda}
        if self.threads is not None and 'OMP_NUM_THREADS' not in environment:
            found['OMP_NUM_THREADS'] = str(self.threads)
        return found


def parse_devices(text: str) -> list[Device]:
    """Return the devices that ``--devices`` names.

    A number counts among the CUDA devices that this process sees.  Runs on CPUs share the cores.

    Args:
        text: Numbers of CUDA devices and ``cpu``, with commas; ``cpu`` may be there several times.

    Raises:
        InvalidInputError: A name is empty, no device, no device of this machine, or a CUDA device
            that is there twice.
    """
    names = [name.strip() for name in text.split(',')]
    cpus = names.count(CPU)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    devices: list[Device] = []
    for name in names:
        if name == CPU:
            number = 1 + sum(not device.cuda for device in devices)
            threads = max((cores or 1) // cpus, 1) if cpus > 1 else None
            devices.append(Device(f'cpu {number}' if cpus > 1 else CPU, '', threads))
        elif re.fullmatch('[0-9]+', name):
            device = Device(f'device {int(name)}', visible_device(int(name), text))
            if device in devices:
                raise refusal(text, f'{int(name)} is there twice')
            devices.append(device)
        else:
            hint = similar(name, [CPU])
            what = f'{name!r} is none' if name else 'a name is empty'
            raise refusal(text, what + (f', did you mean {hint!r}?' if hint else ''))
    return devices


def visible_device(number: int, text: str) -> str:
    """Return the ``CUDA_VISIBLE_DEVICES`` with which a process sees one CUDA device alone.

    Args:
        number: The device, counted among those that this process sees.
        text: What the user wrote, for the message.

    Raises:
        InvalidInputError: There is no such device.
    """
    count = torch.cuda.device_count()
    if number >= count:
        there = {0: 'no CUDA device', 1: 'one CUDA device, 0'}.get(
            count, f'{count} CUDA devices, 0 to {count - 1}'
        )
        raise refusal(text, f'this process sees {there}')
    names = os.environ.get('CUDA_VISIBLE_DEVICES')
    return str(number) if names is None else names.split(',')[number].strip()


def refusal(text: str, why: str) -> InvalidInputError:
    """Return the error that refuses a value of ``--devices``."""
    return InvalidInputError(f'--devices is {text!r}, expected {FORM}: {why}')
