from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.weak_dataset import WeakDataset


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
    text = f'SEAM, {where}: {count} images, {len(own)} classes: {", ".join(own)}'
    if dataset.negatives is None:
        return text
    kind, further = type(dataset.negatives).__name__, len(dataset.negatives)
    if isinstance(dataset.negatives, OldNetworkNegatives):
        text += f'; negatives: {kind} found {further} crops in the {count} images'
    else:
        text += f'; negatives: {further} images of {kind}'
    helpers = names[len(own):]
    return f'{text}; helper classes: {", ".join(helpers)}' if helpers else text
