"""Predictions: classes at the size of the label, whatever is in the batch."""

import pytest
import torch
import torch.nn.functional as F

from incseg.models import EncoderDecoder
from incseg.structures import SegDataSample


def predictions(model: EncoderDecoder, images: list, **metainfo) -> list[torch.Tensor]:
    """Through preprocessor and network, as one batch."""
    given = [SegDataSample(metainfo=metainfo) for _ in images]
    with torch.no_grad():
        return [
            s.pred_sem_seg.data for s in model.test_step(dict(inputs=images, data_samples=given))
        ]


def random_image(height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode='bilinear')[0]
    return (smooth * 255).to(torch.uint8)


def test_predict_is_the_argmax_at_the_labels_size(build):
    """If it fails, the confusion matrix compares shifted or wrongly scaled predictions."""
    model = build([4, 2]).eval()
    image = random_image(12, 10)
    (prediction,) = predictions(model, [image], img_shape=(12, 10), ori_shape=(31, 23))
    inputs = model.data_preprocessor(dict(inputs=[image]))['inputs']
    logits = model(inputs, mode='tensor')
    assert logits.shape == (1, 6, 6, 5)  # as the head made them
    for size in ((12, 10), (31, 23)):
        logits = F.interpolate(logits, size, mode='bilinear', align_corners=False)
    assert prediction.dtype == torch.uint8
    assert torch.equal(prediction, logits.argmax(1).to(torch.uint8))
    assert len(prediction.unique()) > 1


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_images_are_cast_to_the_parameters_type(build, dtype):
    """If it fails, a network in low precision cannot be given the preprocessor's images."""
    model = build([4, 2]).eval()
    image = random_image(12, 10)
    (expected,) = predictions(model, [image])
    model.backbone.to(dtype)
    model.decode_head.to(dtype)
    inputs = model.data_preprocessor(dict(inputs=[image]))['inputs']
    assert inputs.dtype == torch.float32
    assert model(inputs).dtype == dtype
    (prediction,) = predictions(model, [image])
    assert (prediction == expected).float().mean() > 0.9


def test_predict_without_samples(build):
    """If it fails, images without any meta information cannot be segmented."""
    model = build([4]).eval()
    results = model.predict(torch.randn(2, 3, 9, 7))
    assert [tuple(s.pred_sem_seg.data.shape) for s in results] == [(1, 9, 7)] * 2


@pytest.mark.parametrize(
    'sizes', [[(64, 96), (64, 96)], [(64, 96), (96, 64)], [(33, 40), (96, 70), (64, 64)]]
)
def test_prediction_does_not_depend_on_the_batch(build, sizes):
    """If it fails, padding and neighbours change what is predicted for an image."""
    model = build([4, 2], bisenet=True)
    images = [random_image(height, width, i) for i, (height, width) in enumerate(sizes)]
    inputs = model.data_preprocessor(dict(inputs=images))['inputs']
    with torch.no_grad():  # running statistics that fit, and every class wins somewhere
        for _ in range(4):
            model.extract(inputs)
        model.eval()
        means = model(inputs).mean((0, 2, 3)).split([4, 2])
        for conv, mean in zip(model.decode_head.classifier.convs, means):
            conv.bias -= mean
    together = predictions(model, images)
    for image, size, prediction in zip(images, sizes, together):
        (alone,) = predictions(model, [image])
        assert prediction.shape == alone.shape == (1, *size)
        assert len(alone.unique()) > 1
        assert (prediction == alone).float().mean() > 0.999  # ties may round either way


def test_eval_is_deterministic(build):
    """If it fails, tools/test.py cannot print the numbers that training printed."""
    model = build([4, 2], bisenet=True).eval()
    inputs = torch.randn(2, 3, 40, 56)
    first, again = (model(inputs) for _ in range(2))
    assert torch.equal(first, again)
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            model.state_dict().values(), build([4, 2], bisenet=True).state_dict().values()
        )
    )
