import numpy as np

from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.weak_dataset import WeakDataset

#: crops per image below which hardly anything was learned from them (docs/results)
FEW = 0.1


def describe_images(dataset: WeakDataset, scope: str, step: int) -> str:
    """What SEAM is trained on: images, classes, and where there are any, negatives.

    Args:
        dataset: the data set, which has looked through the network of the step
            before if it is to.
        scope: ``'step'`` or ``'all'``.
        step: the step; with scope ``'all'`` it is of no account.
    """
    names = dataset.metainfo['classes']
    own = names[:len(names) - len(dataset.helper_ids)]
    where = f"scope 'step', step {step}" if scope == 'step' else f'scope {scope!r}'
    count = len(dataset.indices)
    word = 'class' if len(own) == 1 else 'classes'
    text = f'SEAM, {where}: {count} images, {len(own)} {word}: {", ".join(own)}'
    shown = np.any(dataset.image_labels[:count], axis=0).tolist()
    lacking = [name for name, there in zip(own, shown) if not there]
    if lacking:
        text += f'; no image shows {", ".join(lacking)}, whose maps will mean nothing'
    if dataset.negatives is None:
        return text
    kind, further = type(dataset.negatives).__name__, len(dataset.negatives)
    if isinstance(dataset.negatives, OldNetworkNegatives):
        text += f'; negatives: {kind} found {further} crops in the {count} images'
        if further < FEW * count:
            text += ' (few: from so little the classes are hardly told apart)'
    else:
        text += f'; negatives: {further} images of {kind}'
    helpers = names[len(own):]
    return f'{text}; helper classes: {", ".join(helpers)}' if helpers else text
