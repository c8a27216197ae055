"""Bring a network of another library in, as a ``final.pth`` of step 0."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.registry import DefaultScope, init_default_scope

from incseg import __version__
from incseg.apis.class_files import background_first, order_of, read_class_names
from incseg.apis.config.loading import load_config
from incseg.apis.foreign_network import (
    check_name,
    check_outputs_named,
    config_of,
    fitting,
    inner_network,
    number_of_outputs,
    source_network,
)
from incseg.datasets.label_maps import colour_map
from incseg.engine.checkpoint import (
    IMPORTED,
    foreign_types,
    input_of,
    save_checkpoint,
    stored_config,
)
from incseg.engine.recipe.experiment import Experiment
from incseg.errors import InvalidInputError
from incseg.models.importers import (
    KeyMap,
    SourceFile,
    read_source_file,
    reordered,
    with_background,
    with_biases,
)
from incseg.models.weights.fitting import few
from incseg.registry import SCOPE
from incseg.utils.content_digest import tensors_digest
from incseg.utils.outputs import check_outputs


def import_model(
    checkpoint: str | Path,
    network: str,
    out: str | Path,
    classes: str | Path | Sequence[str] | None = None,
    *,
    background: bool = True,
    order: str | Path | Sequence[str] | None = None,
    key_map: str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    bgr: bool = False,
    force: bool = False,
) -> tuple[Path, list[str]]:
    """Write a network of another library as a ``final.pth`` of step 0.

    Args:
        checkpoint: A state dict, or a checkpoint that holds one; ``.safetensors`` too.
        network: A name of :func:`incseg.apis.foreign_network.network_names`.
        out: The folder of the ``final.pth``, or the file itself (``*.pth``).
        classes: A file of the names of the outputs, in their order, or the names; None takes
            those of mmengine's ``meta``.
        background: Whether one of the outputs is the background; without it, one that never wins
            is added.
        order: A config, in whose order of step 0 the outputs are brought, or the names of the
            classes in that order; None keeps theirs.
        key_map: A file of new names of tensors, see :class:`KeyMap`.
        mean, std: Scaling of the pixels, 0 to 255, in the network's channel order; None for the
            source's own.
        bgr: Whether the network takes blue, green, red.
        force: Whether a file that is there may be written over.

    Returns:
        The file, and lines about what was done.

    Raises:
        UserError: An input is missing or wrong; nothing was written.
    """
    path = Path(out) if Path(out).suffix == '.pth' else Path(out) / 'final.pth'
    check_name(network)
    check_outputs([path], [checkpoint], force=force)
    file = read_source_file(checkpoint)
    names, where = names_of(file, classes, checkpoint)
    ordered, indices = background_first(names, background, where)
    state = file.state if key_map is None else KeyMap(key_map).renamed(file.state)
    source = source_network(network, state)
    named = with_biases(source.renamed(state))
    notes = [f'network  {network} of {checkpoint}']
    whole = number_of_outputs(named) or key_map is not None
    if not whole and (inner := inner_network(network, state)) is not None:
        state, left = inner
        source = source_network(network, state)
        named = with_biases(source.renamed(state))
        notes.append(f'left out {few(left)}')
    check_outputs_named(named, len(names), where, network, background, state)
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    if indices != list(range(len(names))):
        notes.append(f'order    {names[indices[0]]!r} is output 0 now, it was {indices[0]}')
    named = reordered(named, indices)
    if not background:
        named = with_background(named)
        one = len(names) == 1
        what = 'wins where the class does not' if one else 'never wins'
        notes.append(f'output 0 a background that {what} was added')
    if order is not None:
        wanted, whose = wanted_order(order)
        moved = order_of(ordered, wanted, whose)
        if moved != list(range(len(ordered))):
            notes.append(f'order    {", ".join(wanted)} ({whose}; it was {", ".join(ordered)})')
        named, indices = reordered(named, moved), moved
        ordered = wanted
    config = config_of(source, mean, std, bgr)
    weights = fitting(config, named, len(ordered), network, checkpoint, state)
    palette = palette_of(file, names, ordered)
    meta = dict(
        incseg_version=__version__,
        method=IMPORTED,
        protocol=dict(
            name=IMPORTED,
            dataset=IMPORTED,
            setting=IMPORTED,
            steps=[list(range(1, len(ordered)))],
            classes=ordered,
        ),
        step=0,
        classes=ordered,
        palette=palette,
        outputs_per_step=[len(ordered)],
        config=stored_config(config),
        input=input_of(config),
        imports=foreign_types(config),
        previous=None,
        data=None,
        imported=dict(
            network=network,
            file=str(checkpoint),
            tensors=tensors_digest(file.state),
            background='own' if background else 'added',
        ),
    )
    save_checkpoint(dict(state_dict=weights, meta=meta), path, 'step')
    told = input_of(config)
    scaling = {key: ', '.join(f'{each:g}' for each in told[key]) for key in ('mean', 'std')}
    notes.append(f'classes  {len(ordered)}: {", ".join(ordered)}')
    notes.append(f'input    {told["channels"]}, mean {scaling["mean"]}, std {scaling["std"]}')
    notes += [f'saved    {path}', f'next     incseg train CONFIG --start {path}']
    return path, notes


def names_of(
    file: SourceFile, classes: str | Path | Sequence[str] | None, checkpoint: str | Path
) -> tuple[list[str], str]:
    """Return the names of the outputs, and where they come from."""
    if classes is None:
        if file.classes is None:
            raise InvalidInputError(
                f'{checkpoint} does not name its classes, expected --classes FILE, a name in '
                'each line'
            )
        return file.classes, f'the meta of {checkpoint}'
    if isinstance(classes, str | Path):
        return read_class_names(classes), str(classes)
    return list(classes), 'classes'


def wanted_order(order: str | Path | Sequence[str]) -> tuple[list[str], str]:
    """Return the names of the classes in a wanted order, background first, and whose it is."""
    if isinstance(order, str | Path):
        return Experiment(load_config(order)).classes_at(0), f'step 0 of {order}'
    return list(order), 'order'


def palette_of(file: SourceFile, names: Sequence[str], ordered: Sequence[str]) -> list[list[int]]:
    """Return the colours of the classes: the file's, or VOC's."""
    colours = colour_map(len(ordered))
    if file.palette is None or file.classes != list(names):
        return colours
    known = dict(zip(names, file.palette, strict=True))
    return [known.get(name, colours[i]) for i, name in enumerate(ordered)]
