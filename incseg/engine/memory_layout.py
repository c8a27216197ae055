"""The layout of a run's networks where ``model.channels_last='auto'`` leaves it to a trial."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.model import revert_sync_batchnorm

from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir import RunInputs
from incseg.evaluation.run_settings import LAYOUT
from incseg.models.convolutions import AUTO, suits_channels_last
from incseg.registry import MODELS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.precision import arithmetic_of, gpu_arithmetic

#: how many times as fast as the processor's usual layout the other has to be: closer races are
#: not decided by noise
MARGIN = 1.05
#: pairs of iterations that are timed, and images of a batch at most
ROUNDS, BATCH = 5, 8


class LayoutChoice:
    """The layout of one run: chosen once, recorded in its work dir, kept by all of its steps.

    It comes from the first of these that knows it: the work dir of the interrupted run, the shared
    base step, the previous step's network, a trial.  A config that says True or False has no
    choice, and nothing happens.

    Args:
        experiment: The experiment; its ``channels_last`` is set.
        inputs: The record of the work dir.
    """

    def __init__(self, experiment: Experiment, inputs: RunInputs):
        self.experiment, self.inputs = experiment, inputs
        self.open = experiment.config['model'].get('channels_last') == AUTO
        self.origin = ''

    def settle(self, config: Config, previous: StepCheckpoint | None = None) -> None:
        """Put the layout into the config of a step's Runner; choose it if nobody did.

        All processes call this.

        Args:
            config: The Runner's config, which is changed.
            previous: The previous step's network.
        """
        if not self.open:
            return
        if self.experiment.channels_last is None:
            recorded = self.inputs.recorded(LAYOUT) if self.inputs.work_dir.resume else {}
            if recorded:
                self._take(recorded['channels_last'], 'as before the interruption')
            elif previous is not None:
                self.adopt(dict(config=previous.config or {}), str(previous))
        if self.experiment.channels_last is None:
            verdict = trial(config, self.experiment.config['crop_size'])
            self._take(*on_rank_zero(lambda: verdict))  # one for all processes
        config.model['channels_last'] = self.experiment.channels_last
        config['remark'] = self.remark

    def adopt(self, meta: Mapping[str, Any], what: str) -> None:
        """Take the layout of a network that the run goes on from, if its ``meta`` says it.

        Args:
            meta: ``meta`` of the network's checkpoint.
            what: The network, for the remark.
        """
        layout = (meta.get('config') or {}).get('model', {}).get('channels_last')
        if self.open and self.experiment.channels_last is None and isinstance(layout, bool):
            self._take(layout, f'as {what}')

    def _take(self, channels_last: bool, origin: str) -> None:
        self.experiment.channels_last, self.origin = channels_last, origin
        record = dict(channels_last=channels_last, origin=origin)
        on_rank_zero(lambda: self.inputs.write_layout(record))
        if is_main_process():
            print(self.remark, flush=True)

    @property
    def remark(self) -> str:
        """A line for the log: what was chosen, and why."""
        return f"model.channels_last='auto' is {self.experiment.channels_last}: {self.origin}"

    def ledger_entry(self) -> dict[str, Any]:
        """Return the key of a step's entry in the ledger; none where the config decides."""
        return dict(channels_last=self.experiment.channels_last) if self.open else {}


def trial(config: Config, crop: int | Sequence[int]) -> tuple[bool, str]:
    """Time a network in both layouts, in turns, and return whether channels-last is to be used.

    An iteration is forward and backward through backbone and heads on random images, at the
    step's batch (at most 8 images) and crop.  No random state is touched.

    Args:
        config: The Runner's config of a step.
        crop: Side of its training images in pixels, or height and width.

    Returns:
        The choice, and a remark with both times.
    """
    device = torch.device(get_device())
    model = config.model.to_dict()
    batch = min(config.train_dataloader.batch_size, BATCH)
    size = crop if isinstance(crop, Sequence) else (crop, crop)
    devices = [torch.cuda.current_device()] if device.type == 'cuda' else []
    with torch.random.fork_rng(devices):
        images = torch.randn(batch, 3, *size, device=device)
        networks = {
            layout: revert_sync_batchnorm(MODELS.build(dict(model, channels_last=layout)))
            .to(device)
            .train()
            for layout in (True, False)
        }
        with gpu_arithmetic(**arithmetic_of(config.env_cfg)):  # as in the training
            took = timed(
                {
                    layout: partial(iteration, net, images, config.optim_wrapper.amp)
                    for layout, net in networks.items()
                }
            )
    usual = suits_channels_last(networks[True])
    chosen = usual if took[usual] < MARGIN * took[not usual] else not usual
    times = f'{1000 * took[True]:.0f} ms an iteration, {1000 * took[False]:.0f} ms in NCHW'
    return chosen, f'{times} ({usual} is usual here, the other had to gain {MARGIN:.2f}x)'


def iteration(network: Any, images: torch.Tensor, amp: bool) -> None:
    """Run a network forward and backward."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=amp):
        outputs = network.extract(images)
        total = sum(logits.float().mean() for logits in outputs.logits.values())
    total.backward()
    network.zero_grad()
    if images.device.type == 'cuda':
        torch.cuda.synchronize()


def timed(functions: Mapping[bool, Callable[[], None]]) -> dict[bool, float]:
    """Return the median seconds of each function; they take turns, and the first is left out."""
    times: dict[bool, list[float]] = {name: [] for name in functions}
    for turn in range(ROUNDS + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
