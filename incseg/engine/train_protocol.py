"""Train the steps of a protocol, one after another."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper

from incseg.engine.base_steps import BaseSteps
from incseg.engine.checkpoint import (
    StepCheckpoint,
    check_finite,
    model_meta,
    network_weights,
    plain,
    save_checkpoint,
)
from incseg.engine.evaluate import evaluate
from incseg.engine.hooks import SafeCheckpointHook, show_work_left
from incseg.engine.hooks.method import hand_over, keep_states
from incseg.engine.labels import all_labels, check_old_networks, label_digests
from incseg.engine.memory_layout import LayoutChoice
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.engine.replay_memory import ReplayMemory
from incseg.engine.runner.step_runner import StepRunner
from incseg.engine.start_checks import check_start, check_weights
from incseg.engine.start_network import StartNetwork
from incseg.engine.step_context import StepContext
from incseg.engine.step_datasets import step_datasets
from incseg.engine.step_record import best_iou, of_homes, origins, step_meta
from incseg.engine.work_dir import METRICS, RunInputs, WorkDir, networks_to_keep
from incseg.engine.work_left import work_left
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import DATA
from incseg.utils.distributed import on_rank_zero
from incseg.utils.files import write_json
from incseg.utils.locks import only_run


def train_protocol(
    config: Any,
    work_dir: str | Path,
    steps: Iterable[int] | None = None,
    resume: bool = False,
    reuse: bool = True,
    redo_from: int | None = None,
    start: str | Path | None = None,
) -> Ledger:
    """Train a config's protocol step by step and write the ledger.

    Args:
        config: A complete, checked config.
        work_dir: The folder of ``step_<k>/``, ``results.json`` and ``results.md``.
        steps: The steps to train; all by default.
        resume: Continue an interrupted run; start anew where there is none.
        reuse: Whether the run takes step 0 from the shared base steps, or adds it there.
        redo_from: The step from which an earlier run in ``work_dir`` is trained anew; its files
            of that step and of all later ones are removed.  None removes nothing.
        start: The ``final.pth`` of a network that takes the place of step 0's training, in an open
            protocol of all steps that it has learned; None for none.  A run that began so goes on
            with its own.

    Returns:
        The ledger, written after every step.

    Raises:
        UserError: The input is wrong; raised before any training where that can be
            known.
    """
    with only_run(Path(work_dir)):
        experiment, path = Experiment(config), Path(work_dir)
        return ProtocolRun(experiment, path, resume, reuse, redo_from, start).run(steps)


class ProtocolRun:
    """One run over the steps of a protocol, which :func:`train_protocol` makes and runs."""

    def __init__(
        self,
        experiment: Experiment,
        work_dir: Path,
        resume: bool,
        reuse: bool,
        redo_from: int | None = None,
        start: str | Path | None = None,
    ):
        self.experiment = experiment
        if redo_from is not None:
            experiment.check_step(redo_from, '--redo-from')
        self.work_dir = WorkDir(work_dir, experiment, resume, redo_from)
        self.inputs = RunInputs(self.work_dir)
        self.layout = LayoutChoice(experiment, self.inputs)
        self.start = StartNetwork.of(start, work_dir)
        self.first = 0 if self.start is None else self.start.step
        self.work_dir.first = self.first
        shared = reuse and self.start is None
        self.base_steps = BaseSteps(experiment.config['base_steps_dir']) if shared else None
        self.ledger = experiment.new_ledger()
        self.labels = all_labels(experiment)
        memory = experiment.config['method'].get('memory')
        self.memory = ReplayMemory(memory, experiment.seed, experiment.sources)
        self.keep = networks_to_keep(experiment.config['schedule'].get('keep'))
        self.data: dict[str, str] = {}

    def run(self, steps: Iterable[int] | None) -> Ledger:
        experiment = self.experiment
        every = range(self.first, experiment.num_steps)
        chosen = list(every) if steps is None else sorted(set(steps))
        for k in chosen:
            experiment.check_step(k)
        given = self.start is not None and self.start.is_enough(self.work_dir, self.inputs)
        self.ledger.steps = self.work_dir.earlier_entries(chosen if steps is not None else None)
        self.work_dir.check_start(chosen, self.ledger.steps)
        check_old_networks(self.labels, chosen, self.keep)
        begun = self._finished(0) or self.work_dir.interrupted(0) is not None
        if 0 in chosen and self.start is None and not begun:
            check_weights(experiment)
        datasets = step_datasets(
            experiment, self.labels, [k for k in chosen if k > self.first or not given]
        )
        self._say(experiment.sources.remark())
        digests = label_digests(self.labels, datasets)
        self.data = on_rank_zero(lambda: self.inputs.fingerprints(self.labels, datasets))
        on_rank_zero(lambda: self.inputs.check(digests, self.data, self.ledger))
        known = self.inputs.recorded(DATA) | self.data
        self.ledger.header['protocol'] |= experiment.sources.ledger_sources(known)
        left = [k for k in chosen if self.work_dir.redoes(k) or not self._finished(k)]
        trained = {k: datasets[k] for k in left if k > self.first or self.start is None}
        check_start(experiment, self.labels, trained)
        self.work_dir.tidy(self.ledger, self.keep)
        on_rank_zero(lambda: self.inputs.write(digests, self.data, self.start))
        share = self.memory.exemplars_per_batch(experiment.config['batch_size'])
        self.work = work_left(experiment, trained, self.memory.size, share)
        for k in left:
            self._step(k, datasets.get(k))
        if not left:
            self._say(self.ledger.tables())
        return self.ledger

    def _finished(self, k: int) -> bool:
        entry = self.ledger.step(k)
        return entry is not None and (self._trained(k) or not entry.get('kept', True))

    def _trained(self, k: int) -> bool:
        return self.work_dir.resume and self.work_dir.checkpoint(k).is_file()

    def _begin_from(self, start: StartNetwork, dataset: Any) -> None:
        """Take a given network as its step, and evaluate it."""
        k = start.step
        self._announce(k, f'the network of {start.name}')
        self._say(start.remark())
        if not self._trained(k):
            self.layout.adopt(start.checkpoint.meta, start.name)
            memory = dict(memory=self.memory.select(dataset, start.exemplars()))
            meta = model_meta(self.experiment, None, self.data.get(str(k)))
            content = start.as_step(step_meta(self.experiment, k) | memory | meta)
            on_rank_zero(lambda: save_checkpoint(content, self.work_dir.checkpoint(k), 'step'))
        saved, test = self.work_dir.read(k), str(self.work_dir.step(k) / 'test')
        metrics = evaluate(self.experiment, k, saved.content, str(saved), test, work=self.work)
        self._record(k, metrics, saved, None, 0, 0.0)

    def _step(self, k: int, dataset: Any) -> None:
        if self.start is not None and k == self.first:
            return self._begin_from(self.start, dataset)
        experiment, work_dir, num_images = self.experiment, self.work_dir, len(dataset)
        evaluate_only = self._trained(k)  # cut off between the last save and the ledger
        context = self._context(k)
        if not evaluate_only:
            on_rank_zero(lambda: self.inputs.check_continued(k, context.previous))
        previous, labels = context.previous, context.labels
        if labels.needs_previous:
            dataset = labels.build(dataset.dataset)
        exemplars = [] if previous is None else previous.meta.get('memory', [])
        joined = self.memory.join(dataset, exemplars)
        replayed = len(joined) - num_images
        self._announce(
            k, f'{num_images} images' + f' and {replayed} of the memory' * bool(replayed)
        )
        if not evaluate_only:
            labels.make()
        config = config_for_step(
            experiment,
            k,
            num_images,
            str(context.work_dir),
            num_replayed=replayed,
            memory_batch=self.memory.exemplars_per_batch(experiment.config['batch_size']),
            previous=None if previous is None else str(previous),
            resume_from=work_dir.interrupted(k),
            dataset=labels.dataset(),
        )
        meta = dict(step_meta(experiment, k), memory=self.memory.select(dataset, exemplars))
        shared = k == 0 and self.base_steps is not None and experiment.sources.test_parts(0)
        place = self._shared_place(config) if shared else None
        with BaseSteps.one_training(place):
            again = config.resume or evaluate_only
            if place is not None and not again and self._reuse(place, meta, num_images):
                return
            self.layout.settle(config, previous)
            if not evaluate_only:
                self._train(context, config, joined, meta)
            context.release()
            saved = work_dir.read(k)  # every process: the saved network
            folder = str(context.work_dir / 'test')
            metrics = evaluate(experiment, k, saved.content, str(saved), folder, work=self.work)
            self._record(k, metrics, saved, num_images, replayed, saved.meta.get('seconds', 0.0))
            (context.work_dir / 'resume.pth').unlink(missing_ok=True)
            if place is not None and is_main_process():
                BaseSteps.store(place, saved.content, metrics)

    def _context(self, k: int) -> StepContext:
        previous, labels = self.work_dir.previous(k), self.labels[k]
        if previous is not None:
            self.inputs.check_network(previous, self.ledger.step(k - 1))
        step0 = previous if k < 2 else StepCheckpoint(self.work_dir.checkpoint(0))
        labels.begin(step0, previous)
        return StepContext(k, self.work_dir.step(k), previous, labels)

    def _announce(self, k: int, what: str) -> None:
        last, new = self.experiment.num_steps - 1, ', '.join(self.experiment.sources.new(k))
        self._say(f'step {k} of {last}: {what}, new classes {new}')

    def _shared_place(self, config: Any) -> Path:
        """Return the folder of the shared base step with this config and these data."""
        assert self.base_steps is not None
        test, labels = config_for_test(self.experiment, 0, ''), self.labels[0].identity()
        return self.base_steps.place(self.experiment, config, test, self.data['0'], labels)

    def _train(self, context: StepContext, config: Any, dataset: Any, meta: dict[str, Any]) -> None:
        k = context.k
        model_by_itself = model_meta(self.experiment, context.previous, self.data[str(k)])
        runner = StepRunner.from_cfg(config)
        runner.use_dataset(dataset)
        hand_over(runner.hooks, context)
        show_work_left(runner.hooks, self.work, k)
        runner.train()
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        hook = next(hook for hook in runner.hooks if isinstance(hook, SafeCheckpointHook))
        best = best_iou(k, self.ledger, self.work_dir, context.previous)
        meta = dict(meta, best_iou=best, **hook.record)
        checkpoint = dict(state_dict=plain(network_weights(model)), meta=meta)
        keep_states(runner.hooks, checkpoint)
        runner.close()
        check_finite(checkpoint['state_dict'], f'at the end of step {k}')
        content = plain(checkpoint)
        content['meta'] |= model_by_itself
        on_rank_zero(lambda: save_checkpoint(content, self.work_dir.checkpoint(k), 'step'))

    def _reuse(self, place: Path, meta: dict[str, Any], num_images: int) -> bool:
        """Take a shared step 0, if there is one."""
        shared = BaseSteps.load(place)
        if shared is None:
            return False
        checkpoint, metrics = shared
        self.layout.adopt(checkpoint['meta'], f'the base step in {place}')
        checkpoint['meta'] |= meta | model_meta(self.experiment, None, self.data['0'])
        on_rank_zero(lambda: save_checkpoint(checkpoint, self.work_dir.checkpoint(0), 'step'))
        self._say(f'reused the base step in {place}')
        saved = self.work_dir.read(0)
        self._record(0, metrics, saved, num_images, 0, 0.0, reused_from=str(place))
        return True

    def _record(
        self,
        k: int,
        metrics: dict[str, Any],
        saved: StepCheckpoint,
        num_images: int | None,
        replayed: int,
        seconds: float,
        **extra: Any,
    ) -> None:
        extra |= (dict(memory_images=replayed) if self.memory.size else {}) | origins(saved.meta)
        extra |= of_homes(self.ledger, self.inputs.tested(k), metrics)
        self.ledger.add(
            k,
            metrics,
            self.experiment.sources.old(k),
            train_images=num_images,
            seconds=seconds,
            history=[saved.meta.get('best_iou', {})],
            network=saved.digest,
            **self.labels[k].ledger_entry(),
            **self.layout.ledger_entry(),
            **extra,
        )
        on_rank_zero(lambda: write_json(self.work_dir.step(k) / METRICS, metrics))
        on_rank_zero(lambda: self.ledger.write(self.work_dir.path))
        self.work_dir.apply_policy(self.ledger, self.keep)
        self._say(self.ledger.tables())

    @staticmethod
    def _say(text: str | None) -> None:
        if text and is_main_process():
            print(text, flush=True)
