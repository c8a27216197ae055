from collections.abc import Callable, Mapping

from torch import Tensor

from incseg.models.importers import mmseg_networks, smp_networks, torchvision_networks
from incseg.models.importers.classifiers import (
    classifiers,
    reordered,
    with_background,
    with_biases,
)
from incseg.models.importers.key_map import KeyMap
from incseg.models.importers.network import SourceNetwork
from incseg.models.importers.source_file import SourceFile, read_source_file

#: a network of another library, from the tensors of a file
Build = Callable[[Mapping[str, Tensor]], SourceNetwork]
#: name -> a function of the tensors of a file that returns the network of this name
NETWORKS: dict[str, Build] = {
    **torchvision_networks.NETWORKS,
    **smp_networks.NETWORKS,
    **mmseg_networks.NETWORKS,
}

__all__ = [
    'NETWORKS',
    'KeyMap',
    'SourceFile',
    'SourceNetwork',
    'classifiers',
    'read_source_file',
    'reordered',
    'with_background',
    'with_biases',
]
