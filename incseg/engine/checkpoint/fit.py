"""Whether a step's checkpoint fits an experiment."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from incseg.engine.checkpoint.step import StepCheckpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step_sources import OPEN
from incseg.errors import InvalidInputError
from incseg.utils.tensor_files import FilePath, check_kind

#: the method, protocol and data set of a network that was imported: it has none of them
IMPORTED = 'imported'


def check_protocol(meta: dict[str, Any], protocol: dict[str, Any], path: FilePath) -> None:
    """Refuse a checkpoint of another protocol, class order or setting.

    Args:
        meta: The checkpoint's ``meta``.
        protocol: ``experiment.describe_protocol(step)``, as in a ledger.
        path: The checkpoint, for the message.

    Raises:
        InvalidInputError: The checkpoint is of another protocol, or a file of another kind, such
            as a ``seam.pth``.
    """
    check_kind(dict(meta=meta), path, ('step',))
    if is_imported(meta):
        base = ['background', *(protocol['classes'][1 : 1 + len(protocol['steps'][0])])]
        check_classes(meta['classes'], base, f'checkpoint {path}')
        return
    if protocol['name'] == OPEN:
        check_first_steps(meta, protocol, path)
        return
    for key in ('dataset', 'name', 'setting', 'classes', 'steps'):
        theirs, ours = meta['protocol'].get(key), protocol[key]
        if theirs != ours:
            raise InvalidInputError(
                f'checkpoint {path} is of another protocol: its {key} is {theirs}, '
                f"the config's is {ours}"
            )


def check_first_steps(meta: dict[str, Any], protocol: dict[str, Any], path: FilePath) -> None:
    """Refuse a checkpoint whose steps are not the first ones of an open protocol.

    Its steps learned the same classes in the same order; what the protocol learns later, from
    where, and with which settings, does not matter.

    Args:
        meta: The checkpoint's ``meta``, of an open protocol or of another one.
        protocol: The open protocol, of which all steps up to the checkpoint's count.
        path: The checkpoint, for the message.

    Raises:
        InvalidInputError: Naming the first step that differs.
    """
    count = meta['step'] + 1
    theirs, ours = steps_of_network(meta), names_of_steps(protocol)
    for k in range(count):
        their, own = (', '.join(each[k]) if k < len(each) else 'nothing' for each in (theirs, ours))
        if their != own:
            raise InvalidInputError(
                f"checkpoint {path} is of other steps: its step {k} learned {their}, the config's "
                f'learns {own}'
            )


def steps_of_network(meta: Mapping[str, Any]) -> list[list[str]]:
    """Return the names of the classes that each step of a network learned, by its outputs.

    Args:
        meta: The checkpoint's ``meta``; one of incseg 0.1 does not say the outputs of each step.
    """
    outputs = meta.get('outputs_per_step')
    if outputs is None:
        return names_of_steps(meta['protocol'])
    ends = list(accumulate(outputs))
    starts = [1, *ends]  # the first step has the background too
    return [meta['classes'][start:end] for start, end in zip(starts, ends, strict=False)]


def names_of_steps(protocol: Mapping[str, Any]) -> list[list[str]]:
    """Return the names of the classes that each step learns.

    Args:
        protocol: A protocol as a checkpoint or a ledger describes it.
    """
    names = list(protocol['classes'][1:])
    ends = list(accumulate(len(step) for step in protocol['steps']))
    return [names[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def is_imported(meta: Mapping[str, Any]) -> bool:
    """Say whether a checkpoint is of an imported network that no run has taken yet."""
    return 'imported' in meta and meta['protocol'].get('name') == IMPORTED


def check_classes(theirs: Sequence[str], ours: Sequence[str], what: str) -> None:
    """Refuse a network whose classes are not those of the config's step 0, in name and order.

    Args:
        theirs: Names of the network's outputs.
        ours: Names of the classes of step 0, background first.
        what: The network, for the message.

    Raises:
        InvalidInputError: With both lists, and the way to another order.
    """
    if list(theirs) == list(ours):
        return
    text = f"{what} has the classes {', '.join(theirs)}; the config's step 0 has {', '.join(ours)}"
    if sorted(theirs) == sorted(ours):
        raise InvalidInputError(
            f'{text}: another order; import it with --order CONFIG, or begin protocol.class_order '
            f'with {list(theirs[1:])}'
        )
    lacks = [name for name in ours if name not in theirs]
    more = [name for name in theirs if name not in ours]
    raise InvalidInputError(
        text
        + (f': it lacks {", ".join(lacks)}' if lacks else '')
        + (f': {", ".join(more)} should not be there' if more else '')
    )


def read_experiment_checkpoint(
    experiment: Experiment, path: FilePath
) -> tuple[dict[str, Any], int]:
    """Read a step's checkpoint, and check that it fits the experiment.

    Args:
        experiment: The steps, classes and method of a config.
        path: A step's ``final.pth``, or its :class:`StepCheckpoint`.

    Returns:
        Its content ``{state_dict, meta, …}`` and the number of its step.

    Raises:
        MissingFileError, InvalidInputError: If it is not there, damaged, of
            another protocol, or has other classes than the config's network.
    """
    checkpoint = StepCheckpoint.of(path).content
    meta, step = checkpoint['meta'], checkpoint['meta']['step']
    check_protocol(meta, experiment.describe_protocol(step), path)
    experiment.check_step(step, f'checkpoint {path}: step')
    expected = experiment.classes_at(step)
    if meta['classes'] != expected:
        raise InvalidInputError(
            f'checkpoint {path} (method {meta["method"]}, step {step}) has '
            f'{len(meta["classes"])} classes, the network of the config {len(expected)}'
        )
    return checkpoint, step
