"""An open protocol: steps that are written out, each with its classes and images of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from incseg.datasets.label_maps import colour_map
from incseg.datasets.steps.planned_steps import plain_step
from incseg.engine.recipe.declared_steps import declared_steps
from incseg.engine.recipe.step_sources import SourceTest, StepSources
from incseg.errors import InvalidInputError
from incseg.protocols import Source, StepPlan
from incseg.registry import STEP_SOURCES
from incseg.utils.rules import expected


@STEP_SOURCES.register_module()
class OpenProtocol(StepSources):
    """Steps that are written out: ``protocol=dict(name='open', steps=dict(…))``.

    A step is a dict of

    - ``classes``: names of the classes that it learns, in the order of their outputs;
    - ``data``: ``dict(train=…, test=…)``, two data sets, or for ``test`` the share of the images
      of ``train`` that is held out for it (a :class:`FolderDataset`), or None for no test.
      Without ``data`` a step has the data set of the config.  ``data=None`` says that its images
      are out of reach: then it cannot be trained, and its classes have no score; ``away`` may
      hold the data sets as they were, for ``--data-root`` to find;
    - ``old_labels``: whether old classes that its labels show stay labelled; by default where it
      has its own data;
    - ``images``: one of :data:`~incseg.protocols.step_plan.IMAGES`; by default ``'all'`` where it
      has its own data, as images without the class show what it is not, else ``'overlap'``.

    Args:
        config: The resolved config of the experiment.
        name: ``'open'``.
        steps: The steps by name, in order.
        kwargs: Nothing: what belongs to other protocols is refused.

    Raises:
        InvalidInputError: A step is not as described; the message names its key.

    Attributes:
        plan: The steps as a :class:`StepPlan`.
        declared: The same with their data sets.
    """

    def __init__(self, config: Mapping[str, Any], name: str, steps: Any = None, **kwargs: Any):
        super().__init__(config)
        for key, value in kwargs.items():
            if value is not None:
                raise expected(
                    f'protocol.{key}',
                    value,
                    "no such key with protocol.name='open'; if it comes from a base, put "
                    '_delete_=True into protocol',
                )
        if config['method'].get('joint'):
            raise expected(
                'method.joint',
                True,
                'another method: joint training has one data set with all classes, an open '
                'protocol may have several',
            )
        weak = dict(annotation=config.get('annotation'), seam=config.get('seam'))
        weak['method.image_labels'] = config['method'].get('image_labels')
        for key, section in weak.items():
            if section is not None:
                raise InvalidInputError(
                    f'{key} makes labels of the classes of one data set, but protocol.name is '
                    f'{name!r}; expected {key}=None, as its steps learn from masks, or a protocol '
                    "of one data set, such as '15-1'"
                )
        self.name = name
        self.declared = declared_steps(steps, config['data'])
        self.plan = StepPlan(each.step for each in self.declared)
        self.num_steps = self.plan.num_steps
        images = dict.fromkeys(step.images for step in self.plan.steps)
        self.setting = ', '.join(images)
        self._palette = self._colours()

    def _colours(self) -> list[list[int]]:
        """Return the colour of every class; a source's colour that is taken becomes a free one."""
        colours = [[0, 0, 0]]
        sources: list[Source | None] = [None]
        free = (list(map(int, each)) for each in colour_map(256))
        for each in self.declared:
            for colour in each.colours:
                own = list(map(int, colour))
                known = zip(colours, sources, strict=True)
                if any(own == other and of != each.step.source for other, of in known):
                    taken = [*colours, *each.colours]
                    own = next((other for other in free if other not in taken), own)
                colours.append(own)
                sources.append(each.step.source)
        return colours

    def classes(self, k: int) -> list[str]:
        return ['background', *self.plan.seen(k)]

    def palette(self, k: int) -> list[list[int]]:
        return self._palette[: 1 + len(self.plan.seen(k))]

    def outputs_per_step(self, k: int) -> Sequence[int]:
        return self.plan.outputs_per_step(k)

    def data(self, k: int, mode: str) -> dict[str, Any]:
        """Return the config of the step's own data set.

        Raises:
            InvalidInputError: The config says that the images are out of reach.
        """
        declared = self.declared[k]
        part = declared.train if mode == 'train' else declared.test
        if part is None:
            raise expected(
                f'protocol.steps.{declared.step.name}.data{".test" if declared.train else ""}',
                None,
                'its images: the step is trained here, or tested by itself',
            )
        return dict(part)

    def labelling(self, k: int) -> dict[str, Any]:
        return self._labelling(k, self.declared[k].step.source.annotates)

    def _labelling(self, k: int, known: Sequence[str], **tested: Any) -> dict[str, Any]:
        """Return what :meth:`labelling` does, for images that have the classes ``known``."""
        steps = [plain_step(step) for step in self.plan.steps]
        made: dict[str, Any] = dict(protocol=dict(type='PlannedSteps', steps=steps, **tested))
        if not {*self.plan.seen(k)} <= {*known}:  # else the data set knows all names
            made['metainfo'] = dict(classes=self.classes(k), palette=self.palette(k))
        return made

    def has_test(self, k: int) -> bool:
        return self.declared[k].test is not None

    def test_parts(self, k: int) -> list[SourceTest]:
        parts: list[SourceTest] = []
        for each in self.declared[: k + 1]:
            taught = list(each.step.new)
            if each is self.declared[0]:
                taught.insert(0, 'background')
            if each.test is None:
                continue
            same = next((p for p in parts if p.arguments['dataset'] == each.test), None)
            if same is not None:
                same.home_of.extend(
                    name for name in taught if name in ('background', *same.annotates)
                )
                continue
            names = each.test_annotates
            arguments = dict(
                dataset=dict(each.test), **self._labelling(k, names, annotates=list(names))
            )
            home_of = [name for name in taught if name in ('background', *names)]
            parts.append(SourceTest(each.step.name, arguments, names, home_of))
        return parts

    def ledger_sources(self, data: Mapping[str, str]) -> dict[str, Any]:
        """Return ``sources``, one per step, and ``homes``, on which test images a class is scored.

        A source has the names of the classes that its training images annotate, and the
        fingerprints of the step's training images and of its test images, None where they are not
        known.
        """
        sources = []
        for k, each in enumerate(self.declared):
            train, _, tests = data.get(str(k), '').partition('-')
            tested = [part.arguments['dataset'] for part in self.test_parts(k)]
            place = tested.index(each.test) if each.test in tested else len(tested)
            found = tests.split('+') if tests else []
            sources.append(
                dict(
                    step=each.step.name,
                    name=each.step.source.name,
                    annotates=list(each.step.source.annotates),
                    train=train or None,
                    test=found[place] if place < len(found) else None,
                )
            )
        homes: dict[str, str | None] = dict.fromkeys(self.classes(self.num_steps - 1))
        for part in self.test_parts(self.num_steps - 1):
            homes.update(dict.fromkeys(part.home_of, part.name))
        return dict(sources=sources, homes=homes)

    def describe(self, k: int | None = None) -> dict[str, Any]:
        k = self.num_steps - 1 if k is None else k
        names = self.classes(k)
        return dict(
            name=self.name,
            dataset=self.config['data']['name'],
            setting=self.setting,
            steps=[list(self.plan.train_ids(self.plan.new(i))) for i in range(k + 1)],
            classes=names,
        )

    def identity(self) -> Any:
        first = self.declared[0]
        data = self.config['data']
        if (first.train, first.test) == (data['train'], data['test']):
            return None  # a protocol of one data set may share it
        return [first.train, first.test]
