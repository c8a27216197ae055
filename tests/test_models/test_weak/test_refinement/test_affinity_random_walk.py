import pytest
import torch

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import AffinityRandomWalk

IMAGE = torch.randint(
    0, 256, (3, 61, 76), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def test_nobody_alike_is_pooling(affinity_net):
    """With a huge exponent nothing walks: what is left is the mean over 8x8 and back, within the
    score's range and at the image's own size."""
    scores = torch.rand(3, 61, 76)
    refined = AffinityRandomWalk(affinity_net, exponent=1e6).refine(IMAGE, scores)
    assert refined.shape == scores.shape
    torch.testing.assert_close(  # a block's centre lies between four pixels
        refined[:, 27:29, 35:37].mean((1, 2)),
        scores[:, 24:32, 32:40].mean((1, 2)),
        atol=0.02,
        rtol=0,
    )


@pytest.mark.parametrize(
    'size, block', [((64, 64), (2, 3)), ((32, 32), (1, 1)), ((16, 24), (0, 1))]
)
def test_small_pictures_walk(affinity_net, size, block):
    """64 x 64 as Shapes has it, and down to the least: where all are held alike (an exponent near
    0) the score of one block spreads to the lowest row, where nobody is (a huge one) it stays."""
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    row, column = 8 * block[0], 8 * block[1]
    scores = torch.zeros(2, *size)
    scores[1, row : row + 8, column : column + 8] = 1.0
    still = AffinityRandomWalk(affinity_net, exponent=1e6).refine(image, scores)[1]
    walked = AffinityRandomWalk(affinity_net, exponent=0.01).refine(image, scores)[1]
    inside = (slice(row, row + 8), slice(column, column + 8))
    assert walked[inside].max() < 0.6 * still[inside].max()
    assert walked[-1, column + 4] > 0.01 > still[-1, column + 4]


def test_constant_scores_stay(affinity_net):
    """Columns sum to 1, and the padding of the right and bottom stays out of the middle."""
    refined = AffinityRandomWalk(affinity_net).refine(
        IMAGE[:, :56, :72], torch.full((2, 56, 72), 0.3)
    )
    torch.testing.assert_close(refined, torch.full((2, 56, 72), 0.3))


def test_net_is_frozen(affinity_net):
    """Its dropout and norms are those of evaluation."""
    walk = AffinityRandomWalk(affinity_net)
    assert not walk.net.training and not any(p.requires_grad for p in walk.net.parameters())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(exponent=0), 'AffinityRandomWalk.exponent is 0, expected a number above 0'),
        (dict(exponent='a'), "AffinityRandomWalk.exponent is 'a', expected a number"),
        (dict(doublings=-1), 'AffinityRandomWalk.doublings is -1, expected a whole number of at'),
        (dict(doublings=1.5), 'AffinityRandomWalk.doublings is 1.5, expected a whole'),
        (dict(checkpoint=3), "AffinityRandomWalk.checkpoint is 3, expected a file's path, or None"),
        (dict(net=3), 'AffinityRandomWalk.net is 3, expected an AffinityNet, or dict'),
        (dict(net=dict(type='PAMR')), 'AffinityRandomWalk.net is a PAMR, expected an AffinityNet'),
    ],
)
def test_bad_arguments(arguments, message, affinity_net):
    """Said when it is built; later, hours of training would be lost."""
    with pytest.raises(InvalidInputError, match=message):
        AffinityRandomWalk(**{'net': affinity_net, **arguments})


def test_checkpoint(affinity_net, tmp_path):
    """The trained weights are the ones that walk; a file that does not fit is named."""
    path = tmp_path / 'affinity.pth'
    trained = {
        name: torch.full_like(value, 0.25) for name, value in affinity_net.state_dict().items()
    }
    torch.save(dict(state_dict=trained), path)
    walk = AffinityRandomWalk(affinity_net, str(path))
    assert (walk.net.joint.weight == 0.25).all()
    with pytest.raises(MissingFileError, match=r'no checkpoint of an AffinityNet at none\.pth'):
        AffinityRandomWalk(affinity_net, 'none.pth')
    for content in (dict(state_dict=dict(a=torch.ones(1))), dict(), [1]):
        torch.save(content, path)
        with pytest.raises(InvalidInputError, match=r'affinity\.pth is damaged or does not fit'):
            AffinityRandomWalk(affinity_net, str(path))
    path.write_bytes(b'PK')
    with pytest.raises(InvalidInputError, match=r'affinity\.pth is damaged or does not fit'):
        AffinityRandomWalk(affinity_net, str(path))
