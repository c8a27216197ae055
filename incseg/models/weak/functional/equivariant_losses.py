"""SEAM's losses."""

import torch.nn.functional as F
from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.weak.functional.activation_maps import max_norm, resize_corners, with_background
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import expected

#: share of all entries that enter the cross regularisation
HARD_SHARE = 0.2


def equivariant_losses(
    cam: Tensor,
    refined: Tensor,
    cam_small: Tensor,
    refined_small: Tensor,
    image_labels: Tensor,
    scale: float = 0.3,
    ref_num_classes: int | None = 21,
) -> dict[str, Tensor]:
    """Return SEAM's losses of images and their smaller copies.

    Maps are raw, ``(N, 1 + C, …)``, channel 0 the background: it is ignored in
    the class activation maps and used in the refined ones.  Each loss has the
    weight 1; half types are raised to float32.

    Args:
        cam: Class activation maps at the input's size ``(H, W)``.
        refined: The same maps refined by the pixel correlation module, ``(N, 1 + C, H, W)``.
        cam_small: Class activation maps of the images scaled by ``scale``, of size
            ``(int(H * scale), int(W * scale))``.
        refined_small: The same maps refined, at that size, ``(N, 1 + C, h, w)``.
        image_labels: ``(N, C)``, 1 where the image shows the class.
        scale: Scale of the smaller copy.
        ref_num_classes: Number of classes, background included, for which the losses are
            balanced; published: 21 in VOC.  ER divides by ``ref - 1`` maps, and ECR
            takes (and divides by) a fifth of the entries of ``ref`` maps, whatever C is.
            So a step with 5 new classes has the losses that the same maps would have
            among 15 more, absent classes.  None: C + 1.

    Returns:
        Scalars by name:

        * ``loss_cls``: classification of the image, the multi-label soft margin of the
          maps' means; the mean over images, classes and the two copies.
        * ``loss_min``: mean of the lowest quarter of each image's best refined scores;
          at 0 a quarter of the image is background.
        * ``loss_er``: equivariant regularisation, the L1 distance of the two
          copies' normalised maps.
        * ``loss_ecr``: equivariant cross regularisation, the largest fifth of
          the L1 distances from the refined maps of one copy to the maps of the
          other, which get no gradient.

    Raises:
        InvalidInputError: If a size does not fit; or, on a CPU, if a label is
            neither 0 nor 1.

    Source: Wang et al., "Self-supervised Equivariant Attention Mechanism for
    Weakly Supervised Semantic Segmentation", CVPR 2020, as its authors' code
    computes them.
    """
    check_sizes(cam, refined, cam_small, refined_small, image_labels, scale)
    classes = image_labels.shape[1]
    reference = 1 + classes if ref_num_classes is None else ref_num_classes
    cam, cam_small = at_least_float32(cam)[:, 1:], at_least_float32(cam_small)[:, 1:]
    refined, refined_small = at_least_float32(refined), at_least_float32(refined_small)
    labels = image_labels.to(cam)
    present = labels[:, :, None, None]
    present_or_background = F.pad(present, (0, 0, 0, 0, 1, 0), value=1.0)
    size = cam_small.shape[-2:]

    loss_cls = (
        F.multilabel_soft_margin_loss(cam.mean((2, 3)), labels)
        + F.multilabel_soft_margin_loss(cam_small.mean((2, 3)), labels)
    ) / 2
    loss_min = (
        min_pooling(refined[:, 1:] * present) + min_pooling(refined_small[:, 1:] * present)
    ) / 2

    cam = resize_corners(max_norm(cam), size) * present
    cam_small = max_norm(cam_small) * present
    refined = resize_corners(max_norm(refined), size) * present_or_background
    refined_small = max_norm(refined_small) * present_or_background
    area = size[0] * size[1]
    loss_er = (cam - cam_small).abs().sum((1, 2, 3)).mean() / (max(reference - 1, 1) * area)
    count = max(1, int(reference * area * HARD_SHARE))
    loss_ecr = hardest(with_background(cam_small.detach()) - refined, count) + hardest(
        with_background(cam.detach()) - refined_small, count
    )
    return dict(loss_cls=loss_cls, loss_min=loss_min, loss_er=loss_er, loss_ecr=loss_ecr)


def min_pooling(scores: Tensor) -> Tensor:
    """Return the mean of the lowest quarter of the pixels' best scores, negative ones as 0.

    Args:
        scores: ``(N, C, H, W)``.

    Returns:
        Scalar.
    """
    best = scores.amax(1).flatten(1)
    count = max(1, best.shape[1] // 4)
    return best.topk(count, largest=False, sorted=False).values.relu().mean()


def hardest(difference: Tensor, count: int) -> Tensor:
    """Return the mean of the ``count`` largest absolute entries of each image, over all images.

    Where an image has fewer entries, the missing ones count as 0.

    Args:
        difference: ``(N, …)``.
        count: Number of entries, at least 1.

    Returns:
        Scalar.
    """
    entries = difference.abs().flatten(1)
    largest = entries.topk(min(count, entries.shape[1]), sorted=False).values
    return largest.sum(1).mean() / count


def check_sizes(
    cam: Tensor,
    refined: Tensor,
    cam_small: Tensor,
    refined_small: Tensor,
    image_labels: Tensor,
    scale: float,
) -> None:
    """Refuse maps and labels of :func:`equivariant_losses` that do not belong together.

    Raises:
        InvalidInputError: Naming the argument, its size and the expected one.
    """
    number, channels, height, width = cam.shape
    if not number or channels < 2 or int(min(height, width) * scale) < 1:
        raise expected(
            f'shape of cam (at scale {scale})',
            tuple(cam.shape),
            '(N, 1 + C, H, W) with an image and a class at least, and a pixel in the smaller copy',
        )
    small = (number, channels, int(height * scale), int(width * scale))
    shapes = {
        'refined': (refined, tuple(cam.shape)),
        'cam_small': (cam_small, small),
        'refined_small': (refined_small, small),
        'image_labels': (image_labels, (number, channels - 1)),
    }
    for name, (value, shape) in shapes.items():
        if tuple(value.shape) != shape:
            raise expected(
                f'shape of {name}',
                tuple(value.shape),
                f'{shape} for cam {tuple(cam.shape)} and scale {scale}',
            )
    # reading labels on a GPU would wait for it in every iteration
    if image_labels.device.type == 'cpu' and not ((image_labels == 0) | (image_labels == 1)).all():
        raise InvalidInputError('image_labels has other values than 0 and 1')
