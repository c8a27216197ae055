"""Class activation maps of several scales and flips become the scores of an image."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from incseg.engine.weak.cam_inference import CamInference, enlarged, stretched
from incseg.engine.weak.image_batches import resized, scaled_size
from incseg.errors import InvalidInputError


@pytest.fixture
def images():
    """Smooth colours, so that resizing loses little."""
    torch.manual_seed(0)
    coarse = torch.rand(3, 3, 4, 5) * 255
    return F.interpolate(coarse, (37, 50), mode='bicubic').clamp(0, 255).to(torch.uint8)


def plain(model, image, shown, scales, flips):
    """One image, one scale, one flip at a time, as the spec says it."""
    size = image.shape[1:]
    if not shown.any():
        return torch.zeros(0, *size)
    total = torch.zeros(int(shown.sum()), *size)
    for scale in scales:
        for flip in flips:
            new = [round(n * scale) for n in size]
            x = F.interpolate(image[None].float(), new, mode='bicubic', antialias=True)
            x = model.data_preprocessor(dict(inputs=x.round().clamp(0, 255)))['inputs']
            _, refined = model.cams(x.flip(3) if flip else x)
            maps = refined[:, 1:][:, shown]
            maps = F.interpolate(maps, new, mode='bilinear', align_corners=True)
            maps = F.interpolate(maps, size, mode='bilinear', align_corners=False)[0]
            total += maps.flip(2) if flip else maps
    total = total.clamp(min=0)
    out = []
    for s in total:
        n = (s - s.min() - 1e-5) / (s.max() - s.min() + 1e-5)
        out.append(n.clamp(min=0))
    return torch.stack(out)


def test_equals_one_at_a_time(images, colour_cams):
    """If it fails, batches of images and flips give other scores than one image, scale and flip at
    a time."""
    model, scales = colour_cams(), (0.5, 1.0, 1.7)
    shown = torch.tensor([[True, False, True], [False, False, False], [False, True, False]])
    found = CamInference(model, scales)(images, shown)
    assert [len(maps) for maps in found] == [2, 0, 1]
    assert model.calls == [(4, 3, 18, 25), (4, 3, 37, 50), (4, 3, 63, 85)]  # 18.5 rounds to even
    with torch.no_grad():
        for image, row, maps in zip(images, shown, found):
            expected = plain(model, image, row, scales, (False, True))
            torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)


def test_a_symmetric_result(images, colour_cams):
    """If it fails, flips do not make the scores of a one-sided network symmetric, or are always
    added."""
    model = colour_cams()
    plain_cams = model.cams
    side = torch.linspace(0, 1, 12)

    def one_sided(inputs):
        cam, refined = plain_cams(inputs)
        return cam, refined * side[None, None, None]

    model.cams = one_sided
    shown = torch.ones(1, 3, dtype=torch.bool)
    for flip, same in ((True, True), (False, False)):
        inference = CamInference(model, (1.0,), flip)
        [straight], [mirrored] = inference(images[:1], shown), inference(images[:1].flip(3), shown)
        assert torch.allclose(straight, mirrored.flip(2), atol=1e-4) == same


def test_no_class_no_network(images, colour_cams):
    """If it fails, images without a visible class cost a pass, or lose their size."""
    model = colour_cams()
    found = CamInference(model)(images, torch.zeros(3, 3, dtype=torch.bool))
    assert [maps.shape for maps in found] == [(0, 37, 50)] * 3 and not model.calls


@pytest.mark.parametrize('scale', [0.5, 1.5])
def test_resized_as_pillow_does(images, scale):
    """If it fails, images are resized differently from published code: Pillow's bicubic on 8 bits,
    up to one grey level."""
    ours = resized(images[:1].float(), scale)[0].permute(1, 2, 0).numpy()
    size = ours.shape[1::-1]
    theirs = Image.fromarray(images[0].permute(1, 2, 0).numpy()).resize(size, Image.BICUBIC)
    assert np.abs(ours - np.asarray(theirs, np.float32)).max() <= 1
    assert (ours == ours.round()).all() and ours.min() >= 0 and ours.max() <= 255


def test_enlarged_in_two_steps():
    """If it fails, the corners of a map do not meet the corners of the network's input, or the
    second enlargement is not that of images."""
    maps = torch.tensor([[[0.0, 4.0]]])
    torch.testing.assert_close(enlarged(maps, (1, 5), (1, 5)), torch.tensor([[[0.0, 1, 2, 3, 4]]]))
    torch.testing.assert_close(
        enlarged(maps, (1, 5), (1, 10))[0, 0, :4], torch.tensor([0.0, 0.25, 0.75, 1.25])
    )


def test_stretched_worked_by_hand():
    """If it fails, scores are not (s - min - 1e-5) / (max - min + 1e-5), with negative values as 0,
    and 0 in a constant map."""
    total = torch.tensor([[[-3.0, 1.0, 4.0]], [[2.0, 2.0, 2.0]]])
    expected = torch.tensor([[[0.0, 0.99999 / 4.00001, 3.99999 / 4.00001]], [[0.0, 0, 0]]])
    torch.testing.assert_close(stretched(total), expected)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(scales=()), r'inference.scales is \(\), expected a list of one or more'),
        (
            dict(scales=(1.0, 0.0)),
            r'inference.scales is \(1.0, 0.0\), expected .* each a number above 0',
        ),
        (dict(scales=None), 'inference.scales is None'),
        (dict(scales=('a',)), r"inference.scales is \('a',\)"),
        (dict(flip='x'), "inference.flip is 'x', expected True or False"),
        (dict(maps='CAM'), "inference.maps is 'CAM', expected 'cam' or 'refined'"),
    ],
)
def test_bad_arguments(arguments, message, colour_cams):
    """If it fails, a mistake is not named as the config has it."""
    with pytest.raises(InvalidInputError, match=message):
        CamInference(colour_cams(), **arguments)


def test_nothing_is_left(images, colour_cams):
    """If it fails, an image without rows and columns at a scale is not reported with its size and
    the least scale that works."""
    shown = torch.ones(3, 3, dtype=torch.bool)
    with pytest.raises(
        InvalidInputError,
        match=r'at scale 0.01 .* nothing is left of an image of 37 x 50 .* at least 0\.02',
    ):
        CamInference(colour_cams(), (0.01,))(images, shown)
    assert scaled_size((37, 50), 0.02) == [1, 1]
    assert scaled_size((1, 64), 0.25) == [1, 16], 'a flat image keeps a row'
    assert scaled_size((37, 50), 0.5) == [18, 25]  # 18.5 rounds to even


def test_maps_before_the_correlation(images, colour_cams):
    """If it fails, 'cam' gives the refined maps, and the refinement is compared with itself."""
    model = colour_cams()
    cams = model.cams
    model.cams = lambda inputs: (cams(inputs)[1] * 2 + 3, cams(inputs)[1].square())
    shown = torch.ones(1, 3, dtype=torch.bool)
    [before], [after] = (
        CamInference(model, (1.0,), maps=maps)(images[:1], shown) for maps in ('cam', 'refined')
    )
    [neither] = CamInference(colour_cams(), (1.0,))(images[:1], shown)
    torch.testing.assert_close(before, neither, rtol=1e-3, atol=1e-4)  # the same, stretched
    assert not torch.allclose(after, neither, atol=1e-2)
