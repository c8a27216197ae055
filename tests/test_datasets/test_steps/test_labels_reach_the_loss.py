"""The label maps of a batch: joined once by the loader, and what the loss gets."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset

from incseg.datasets import PackSegInputs, collate_samples
from incseg.models import EncoderDecoder, IncrementalSegmentor, SegDataPreProcessor


def sample(seed: int, height: int = 4, width: int = 6, labels: bool = True) -> dict:
    rng = np.random.default_rng(seed)
    results = dict(image_id=str(seed), img=rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    if labels:
        results['gt_seg_map'] = rng.integers(0, 9, (height, width), dtype=np.uint8)
    return PackSegInputs()(results)


def prepared(batch: dict) -> tuple[torch.Tensor, list[torch.Tensor], list[str]]:
    out = SegDataPreProcessor()(batch, True)
    samples = out['data_samples']
    return out['inputs'], [s.gt_sem_seg.data for s in samples], [s.image_id for s in samples]


def test_the_model_sees_what_lists_would_give():
    """If it fails, labels go to other images than theirs, or change on the way."""
    plain = prepared(pseudo_collate([sample(i) for i in range(3)]))
    ours = collate_samples([sample(i) for i in range(3)])
    assert ours['inputs'].shape == (3, 3, 4, 6) and ours['inputs'].dtype == torch.uint8
    assert ours['labels'].shape == (3, 4, 6) and ours['labels'].dtype == torch.uint8
    images, labels, names = prepared(ours)
    torch.testing.assert_close(images, plain[0], rtol=0, atol=0)
    assert names == plain[2] == ['0', '1', '2']
    for a, b in zip(labels, plain[1], strict=True):
        assert torch.equal(a, b)


def test_without_labels():
    """If it fails, images alone cannot be predicted in batches."""
    batch = collate_samples([sample(i, labels=False) for i in range(2)])
    assert 'labels' not in batch
    assert SegDataPreProcessor()(batch)['inputs'].shape == (2, 3, 4, 6)


def test_several_sizes_and_foreign_samples_stay_lists():
    """If it fails, images of another size, or a user's own keys, are refused."""
    batch = collate_samples([sample(0), sample(1, width=8)])
    assert [image.shape for image in batch['inputs']] == [(3, 4, 6), (3, 4, 8)]
    assert 'gt_sem_seg' in batch['data_samples'][0]
    own = collate_samples([dict(sample(0), depth=1), dict(sample(1), depth=2)])
    assert own['depth'] == [1, 2] and isinstance(own['inputs'], list)


class Twice(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return sample(index)


def test_from_a_worker():
    """If it fails, a worker's batch differs from one made in the process itself."""
    for own, other in zip(
        DataLoader(Twice(), 2, collate_fn=collate_samples),
        DataLoader(Twice(), 2, collate_fn=collate_samples, num_workers=1),
        strict=True,
    ):
        assert torch.equal(own['inputs'], other['inputs'])
        assert torch.equal(own['labels'], other['labels'])
        assert other['inputs'].is_shared()


class OldSegmentor(IncrementalSegmentor):
    """As a repository wrote it for incseg 0.1: it reads each sample's own labels."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            self.read = [sample.gt_sem_seg.data[0] for sample in data_samples]
        return super().forward(inputs, data_samples, mode)


class NewSegmentor(OldSegmentor):
    """A subclass of that, which takes the labels."""

    def forward(self, inputs, data_samples=None, mode='tensor', labels=None):
        return EncoderDecoder.forward(self, inputs, data_samples, mode, labels)


@pytest.mark.parametrize('kind', [EncoderDecoder, IncrementalSegmentor, OldSegmentor, NewSegmentor])
def test_the_loss_gets_the_tensor_that_the_loader_joined(kind):
    """If it fails, labels are copied once more, or a repository's own segmentor stops working."""
    model = kind(
        backbone=dict(type='ResNet', depth=18),
        decode_head=dict(type='FCNHead', channels=4, loss_decode=dict(type='CrossEntropyLoss')),
        outputs_per_step=[9],
    )
    loss, given = model.loss, []
    model.loss = lambda inputs, labels: given.append(labels) or loss(inputs, labels)
    samples = [sample(i, 32, 32) for i in range(2)]
    expected = torch.stack([s['data_samples'].gt_sem_seg.data[0] for s in samples])
    batch = model.data_preprocessor(collate_samples(samples), training=True)
    losses = model(**batch, mode='loss')
    assert losses['decode_head.loss'].isfinite()
    assert torch.equal(given[0], expected)
    if kind is OldSegmentor:
        assert torch.equal(torch.stack(model.read), expected)
    else:
        assert given[0] is batch['labels']
    rows = [s.gt_sem_seg.data for s in batch['data_samples']]  # for hooks: views, no copies
    assert [row.data_ptr() for row in rows] == [row.data_ptr() for row in batch['labels']]


def test_labels_stay_with_their_samples_for_evaluation():
    """If it fails, the metric compares a prediction with no label, or with a padded one."""
    out = SegDataPreProcessor()(collate_samples([sample(0), sample(1, width=8)]))
    assert 'labels' not in out
    assert [s.gt_sem_seg.data.shape for s in out['data_samples']] == [(1, 4, 6), (1, 4, 8)]
    out = SegDataPreProcessor()(collate_samples([sample(0), sample(1)]))
    assert 'labels' not in out
    assert [s.gt_sem_seg.data.shape for s in out['data_samples']] == [(1, 4, 6), (1, 4, 6)]
