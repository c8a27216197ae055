"""One line on a terminal that follows a training or an evaluation; nothing elsewhere."""

import sys
import time
from typing import Any

#: seconds between two pictures of the line
PAUSE = 0.1


def on_terminal() -> bool:
    """Say whether standard output is a terminal that can rewrite a line."""
    from rich.console import Console

    console = Console(file=sys.stdout)
    return console.is_terminal and not console.is_dumb_terminal


class LiveLine:
    """A line that is rewritten: what is done, a bar, iterations, loss, images/s, time left.

    It is drawn by rich, without a thread of its own.  What is printed meanwhile appears above it.

    Args:
        text: What is done, ``'step 1 of 2'``.
        total: Number of iterations.
        done: How many of them are finished already.
        stays: Whether the line is left on the terminal at the end.
    """

    def __init__(self, text: str, total: int, done: int = 0, stays: bool = True):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn('{task.fields[numbers]}', markup=False),
            console=Console(file=sys.stdout),
            auto_refresh=False,
            transient=not stays,
        )
        self._task = self._progress.add_task(text, total=total, completed=done, numbers='')
        self._drawn = time.monotonic()
        self._progress.start()
        self._progress.refresh()

    def update(
        self,
        done: int,
        loss: float | None = None,
        images_per_second: float | None = None,
        seconds_left: float | None = None,
    ) -> None:
        """Draw the line anew, unless that was done a moment ago.

        Args:
            done: Finished iterations; the last one is always drawn.
            loss: The loss, None where it is not known.
            images_per_second: The pace, of all processes; None where it is not known.
            seconds_left: Until the end of the whole run; None where it is not known.
        """
        now = time.monotonic()
        total = self._progress.tasks[0].total
        if now - self._drawn < PAUSE and done > 1 and done != total:
            return
        self._drawn = now
        numbers = numbers_text(loss, images_per_second, seconds_left)
        self._progress.update(self._task, completed=done, numbers=numbers)
        self._progress.refresh()

    def close(self) -> None:
        """End the line; it may be called again."""
        self._progress.stop()

    def __enter__(self) -> 'LiveLine':
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def numbers_text(
    loss: float | None, images_per_second: float | None, seconds_left: float | None
) -> str:
    """Return the numbers of the line, ``'loss 0.412  14.6 images/s  0:31 left'``."""
    parts = []
    if loss is not None:
        parts.append(f'loss {loss:.3f}')
    if images_per_second is not None:
        parts.append(f'{images_per_second:.1f} images/s')
    if seconds_left is not None:
        minutes, seconds = divmod(round(seconds_left), 60)
        hours, minutes = divmod(minutes, 60)
        clock = f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'
        parts.append(f'{clock} left')
    return '  '.join(parts)
