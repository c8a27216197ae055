"""Everything that the parts of a training may ask about the step they work in."""

from dataclasses import dataclass
from pathlib import Path

from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.labels import StepLabels


@dataclass(frozen=True)
class StepContext:
    """A step of a run, as its hooks and its labels see it.

    Args:
        k: The step, from 0.
        work_dir: The step's folder.
        previous: The checkpoint of step ``k - 1``, read at most once; None at step 0.
        labels: The step's :class:`StepLabels`, from which its labels come.
    """

    k: int
    work_dir: Path
    previous: StepCheckpoint | None
    labels: StepLabels

    def release(self) -> None:
        """Free the memory of the weights of earlier steps, once the step is trained."""
        for checkpoint in (self.previous, self.labels.step0):
            if checkpoint is not None:
                checkpoint.release()
