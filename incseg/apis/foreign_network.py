"""A network of another library as one of ours: its name, its config, its weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from incseg.apis.config.schema import DEFAULTS
from incseg.engine.checkpoint import IMPORTED, check_tensors
from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.network import model_of_config
from incseg.errors import InvalidInputError, UserError
from incseg.models.data_preprocessor import MEAN, STD, check_of_255
from incseg.models.importers import NETWORKS, SourceNetwork, classifiers, with_biases
from incseg.models.weights.files import WRAPPERS, unwrapped
from incseg.models.weights.fitting import few
from incseg.registry import MODELS
from incseg.utils.repository import library_files
from incseg.utils.rules import any_of, similar

#: beginnings of the names of all tensors of a network here
PARTS = ('backbone.', 'decode_head.', 'auxiliary_head.', 'data_preprocessor.')


def network_names() -> list[str]:
    """Return the networks that are known: those of other libraries, and the model bases here."""
    folder = library_files() / 'configs' / '_base_' / 'models'
    return [*NETWORKS, *sorted(path.stem for path in folder.glob('*.py'))]


def check_name(network: str) -> None:
    """Refuse a network that nobody knows.

    The message has the names that begin as it does, those of other libraries first, or else those
    that contain it, or the most similar one.

    Raises:
        InvalidInputError: Naming it.
    """
    known = network_names()
    if network not in known:
        begun = [name for name in known if network and name.startswith(network.lower())]
        inside = [name for name in known if len(network) > 3 and network.lower() in name]
        close = begun[:3] or inside[:3] or [name for name in [similar(network, known)] if name]
        hint = f'; did you mean {any_of(close)}?' if close else ''
        raise InvalidInputError(
            f'--network is {network!r}, expected one of {", ".join(known)}{hint}'
        )


def source_network(network: str, state: Mapping[str, Tensor]) -> SourceNetwork:
    """Return what is known of a network of this name, with the tensors of a file.

    A model base here keeps the auxiliary heads of which the file has tensors.
    """
    if network in NETWORKS:
        return NETWORKS[network](state)
    base = Config.fromfile(library_files() / 'configs/_base_/models' / f'{network}.py').to_dict()
    model = resolve(base['model'], {**base, 'pretrained': False})
    auxiliary = {
        name: head
        for name, head in (model.get('auxiliary_head') or {}).items()
        if any(key.startswith(f'auxiliary_head.{name}.') for key in state)
    }
    return SourceNetwork({**model, 'auxiliary_head': auxiliary or None}, mean=(), std=())


def inner_network(
    network: str, state: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]] | None:
    """Return the network of a file that holds other tensors too, as Lightning's do.

    Args:
        network: The name of the network.
        state: Tensors by the names of the file.

    Returns:
        The tensors under one known beginning, without it, and the names of all others; None where
        no beginning gives a classifier.
    """
    for beginning in WRAPPERS:
        inner = {name: value for name, value in state.items() if name.startswith(beginning)}
        if not inner or len(inner) == len(state):
            continue
        found = unwrapped(inner)
        if number_of_outputs(with_biases(source_network(network, found).renamed(found))):
            return found, [name for name in state if name not in inner]
    return None


def network_that_fits(state: Mapping[str, Tensor]) -> str | None:
    """Return the first known network that has all tensors of a file, by name and shape.

    Args:
        state: Tensors by the names of the source.
    """
    for name in network_names():
        try:
            source = source_network(name, state)
            named = with_biases(source.renamed(state))
            outputs = number_of_outputs(named)
            if not outputs or not all(key.startswith(PARTS) for key in named):
                continue  # told by names alone, as building takes its time
            with torch.device('meta'):  # shapes alone: nothing is filled
                built = built_network(config_of(source, None, None, False), outputs)
        except (UserError, ImportError):  # of a package that is not installed
            continue
        if not any(differences(built.state_dict(), named)):
            return name
    return None


def number_of_outputs(state: Mapping[str, Tensor]) -> int:
    """Return the number of outputs of the head that predicts; 0 where there is none."""
    found = [name for name in classifiers(state) if name.startswith('decode_head.')]
    return len(state[f'{found[0]}weight']) if found else 0


def check_outputs_named(
    state: Mapping[str, Tensor],
    count: int,
    where: str,
    network: str,
    background: bool,
    given: Mapping[str, Tensor],
) -> None:
    """Refuse another number of names than of outputs, and tensors without a classifier.

    Args:
        state: Tensors by the names of the library.
        count: The number of names.
        where: Where the names come from, for messages.
        network: The name of the network.
        background: Whether one of the outputs is the background.
        given: Tensors by the names of the source.

    Raises:
        InvalidInputError: Saying both numbers, or which network the file fits.
    """
    outputs = number_of_outputs(state)
    if not outputs:
        other = network_that_fits(given)
        advice = f'it fits --network {other}' if other else 'see --network and --key-map'
        raise InvalidInputError(
            f'the file has no classifier of {network} (its tensors begin with '
            f'{few(list(given))}); {advice}'
        )
    if outputs == count:
        return
    hint = ''
    if background and outputs == count - 1:
        hint = '; a network without background: leave it out of the names, with --no-background'
    elif not background and outputs == count + 1:
        hint = '; is one of the outputs the background? name it, without --no-background'
    raise InvalidInputError(
        f'{where} names {count} classes, but the network has {outputs} outputs{hint}'
    )


def config_of(
    source: SourceNetwork, mean: Sequence[float] | None, std: Sequence[float] | None, bgr: bool
) -> dict[str, Any]:
    """Return the config that the checkpoint stores: the network and the scaling of pictures.

    Raises:
        InvalidInputError: ``mean`` or ``std`` is that of pixels from 0 to 1.
    """
    model: dict[str, Any] = {'type': 'IncrementalSegmentor', **source.model}
    model['pretrained'] = False
    model = {key: value for key, value in model.items() if key != 'pretrained'}
    check_of_255('--mean', mean, MEAN)
    check_of_255('--std', std, STD)
    scaling = dict(mean=mean or source.mean, std=std or source.std)
    preprocessor = {key: [float(x) for x in value] for key, value in scaling.items() if value}
    if preprocessor or bgr:
        given = dict(model.get('data_preprocessor') or dict(type='SegDataPreProcessor'))
        model['data_preprocessor'] = {**given, **preprocessor, 'bgr_to_rgb': not bgr}
    model = resolve(model, dict(pretrained=False))
    return dict(
        DEFAULTS,
        pretrained=False,
        model=model,
        method=dict(name=IMPORTED, loss_decode=dict(type='CrossEntropyLoss')),
        data=dict(name=IMPORTED, test_pipelines=dict(whole=dict())),
        image_scale=1.0,
        eval_mode='whole',
    )


def built_network(config: Mapping[str, Any], outputs: int) -> Any:
    """Return the network of a config of :func:`config_of`.

    Args:
        config: The config.
        outputs: How many classes there are, the background included.
    """
    return MODELS.build(model_of_config(config, 0, [outputs]))


def differences(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[list[str], list[str], list[str]]:
    """Return the tensors of another shape, in words, the missing ones and those left over.

    Args:
        own: The tensors of a network.
        state: Those of a file, by the same names.
    """
    optional = ('num_batches_tracked', 'data_preprocessor.mean', 'data_preprocessor.std')
    wrong = [
        f'{name} is {list(state[name].shape)}, not {list(own[name].shape)}'
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    missing = [name for name in own if name not in state and not name.endswith(optional)]
    return wrong, missing, [name for name in state if name not in own]


def fitting(
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    outputs: int,
    network: str,
    checkpoint: str | Path,
    given: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return the weights of the network, all of them and in its order.

    Args:
        config: The config of :func:`config_of`.
        state: Tensors by the names of the library.
        outputs: How many classes there are, the background included.
        network: Its name, for messages.
        checkpoint: The file, for messages.
        given: Tensors by the names of the source.

    Raises:
        InvalidInputError: A tensor is missing, left over or of another shape, or no number.
    """
    built = built_network(config, outputs)
    own: dict[str, Tensor] = built.state_dict()
    wrong, missing, left = differences(own, state)
    problems = []
    if wrong:
        problems.append(f'of another shape: {few(wrong)}')
    if missing:
        problems.append(f'missing: {few(missing)}')
    if left:
        problems.append(f'left over: {few(left)}')
    if problems:
        other = network_that_fits(given)
        problems += [f'it fits --network {other}'] if other else []
        raise InvalidInputError(
            f'{checkpoint} does not fit {network} ({len(wrong)} of another shape, '
            f'{len(missing)} missing, {len(left)} left over); {"; ".join(problems)}'
        )
    weights = {}
    for name, value in own.items():
        taken = state.get(name, value)
        same = name.endswith('num_batches_tracked') or (
            taken.is_floating_point() == value.is_floating_point()
        )
        weights[name] = taken.detach().to(value.dtype).contiguous() if same else taken
    check_tensors(weights, own, checkpoint)
    built.load_state_dict(weights)
    return {name: torch.clone(value) for name, value in weights.items()}
