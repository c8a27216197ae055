"""A progress line for long work on many files."""

import sys
import time


class Progress:
    """One line on stderr: rewritten on a terminal, repeated every 10 % elsewhere.

    Args:
        total: Number of files in all; 100 %.
        description: The work, in words, at the start of the line.
        enabled: False prints nothing.
    """

    def __init__(self, total: int, description: str, enabled: bool) -> None:
        self.total, self.description, self.enabled = total, description, enabled
        self.done, self.tenths = 0, 0
        self.start = time.monotonic()
        self.printed_at: float | None = None
        self.terminal = sys.stderr.isatty()

    def update(self, count: int) -> None:
        """Count ``count`` further files as done; print if a new line is due."""
        self.done += count
        if not self.enabled:
            return
        now = time.monotonic()
        seconds = max(now - self.start, 1e-9)
        rate = self.done / seconds
        left = round((self.total - self.done) / rate)
        digits = 0 if rate >= 10 else 1
        line = (
            f'{self.description}: {self.done}/{self.total}, {rate:.{digits}f} images/s, '
            f'ETA {left // 60}:{left % 60:02d}'
        )
        if self.terminal:
            if self.done == self.total or self.printed_at is None or now - self.printed_at >= 0.2:
                self.printed_at = now
                print(f'\r{line}\033[K', end='', file=sys.stderr, flush=True)
        elif self.done * 10 // self.total > self.tenths:
            self.tenths = self.done * 10 // self.total
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line on a terminal."""
        if self.printed_at is not None:
            print(file=sys.stderr, flush=True)
