import torch

from incseg.models.weak.refinement.affinity_pairs import affinity_labels


def blocks(*columns):
    """Scores ``(3, 8, 8 n)``: one column of three scores for each block."""
    return torch.tensor(columns).T[:, None, :].repeat_interleave(8, 1).repeat_interleave(8, 2)


def test_sure_of_class_or_of_background():
    """Worked example, ids 0, 7, 16: class by the strong background; background by the weak one;
    neither: ignored; no score at all: ignored."""
    strong = blocks([0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.0, 0.0, 0.0])
    weak = blocks([0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0])
    label = affinity_labels([0, 7, 16], strong, weak)
    assert label.dtype == torch.uint8 and label.tolist() == [[7, 0, 255, 255]]


def test_blocks_are_averaged():
    """37 pixels for class 16 against 27 for 7: what most of a block says, edge blocks too."""
    scores = torch.zeros(3, 8, 12)
    scores[1] = 0.5
    scores[2, :, :4] = 1.0
    scores[2, 0, 4:8] = 0.3
    assert affinity_labels([0, 7, 16], scores, scores).tolist() == [[16, 7]]
