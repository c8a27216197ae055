"""Keep every device busy with one run, and train no shared base step twice."""

import time
from collections.abc import Callable, Sequence

from incseg.engine.matrix.attempt import Attempt
from incseg.engine.matrix.child_process import stop
from incseg.engine.matrix.devices import Device
from incseg.engine.matrix.plan import base_key

#: seconds between two looks at the trainings
INTERVAL = 0.2


class DeviceQueue:
    """The runs of a matrix that wait for a device, and those that are trained.

    A free device takes the first run that waits, but not one whose base step is being trained by
    another run: that one waits until the base step is in the store.

    Args:
        attempts: The runs in order.
        devices: The devices, each for one run at a time.
        processes: Processes of each run under torchrun; 0 starts no torchrun.
        reuse: Whether base steps may be shared.
        lock: File descriptor of the matrix's lock, which the trainings inherit.
        on_end: Called with each run that has ended.
    """

    def __init__(
        self,
        attempts: Sequence[Attempt],
        devices: Sequence[Device],
        processes: int,
        reuse: bool,
        lock: int,
        on_end: Callable[[Attempt], None],
    ):
        self.waiting, self.devices = list(attempts), devices
        self.processes, self.reuse, self.lock, self.on_end = processes, reuse, lock, on_end
        self.working: dict[Device, Attempt] = {}
        self.keys: dict[Attempt, str | None] = {}

    def run(self) -> None:
        """Train all runs; stop those that are being trained if this is interrupted."""
        try:
            while self.waiting or self.working:
                if not any([*map(self._fill, self.devices), *map(self._empty, self.devices)]):
                    time.sleep(INTERVAL)
        except BaseException as error:
            attempts = list(self.working.values())
            stop(*(attempt.process for attempt in attempts if attempt.process is not None))
            if isinstance(error, KeyboardInterrupt):
                for attempt in attempts:
                    attempt.tell('interrupted', f'see {attempt.run.log}')
            raise

    def _fill(self, device: Device) -> bool:
        """Give the next run to a free device; return whether something happened."""
        if device in self.working:
            return False
        attempt = self._next(device)
        if attempt is None:
            return False
        self.waiting.remove(attempt)
        self.working[device] = attempt
        if attempt.settled() or not attempt.start(device, self.processes, self.reuse, self.lock):
            del self.working[device]
            self.on_end(attempt)
        return True

    def _empty(self, device: Device) -> bool:
        """Free a device whose run has ended; return whether it has."""
        attempt = self.working.get(device)
        if attempt is None or not attempt.ended():
            return False
        del self.working[device]
        self.on_end(attempt)
        return True

    def _next(self, device: Device) -> Attempt | None:
        """Return the first run that waits for no base step; None if there is none."""
        if not self.working:
            return next(iter(self.waiting), None)
        busy = {
            self._key(attempt, place)
            for place, attempt in self.working.items()
            if not attempt.run.has_base()
        } - {None}
        for attempt in self.waiting:
            if not busy or self._key(attempt, device) not in busy or attempt.run.has_base():
                return attempt
        return None

    def _key(self, attempt: Attempt, device: Device) -> tuple[str, str] | None:
        """Return the base step of a run on a device; None for one that is not shared."""
        if not self.reuse:
            return None
        if attempt not in self.keys:
            self.keys[attempt] = base_key(attempt.run)
        key = self.keys[attempt]
        return None if key is None else (key, device.kind)
