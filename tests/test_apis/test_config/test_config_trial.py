import pytest
import torch

from incseg.apis.config.parts import (
    check_image_label_source,
    check_pipeline,
    try_but_files,
    try_part,
)
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import FCNHead
from incseg.registry import DATASETS, MODELS, TRANSFORMS


@MODELS.register_module(force=True)
class LookingHead(FCNHead):
    """Looks at the values of its tensors while it is built."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rates = torch.linspace(0, 1, 3).tolist()


def test_a_head_that_looks_at_its_values(tiny):
    """Built without memory a tensor has no values; such a part is built for real, not refused."""
    tiny(**{'model.decode_head.type': 'LookingHead'})


def test_whatever_a_constructor_does_not_like():
    """A wrong kind of value is the config's fault: its key is named."""
    with pytest.raises(InvalidInputError, match="seam.refine cannot be built: .*'net'"):
        try_part('seam.refine', dict(type='AffinityRandomWalk'), MODELS)
    with pytest.raises(InvalidInputError, match='seam.negatives cannot be built: .*folder'):
        try_part('seam.negatives', dict(type='NegativeFolder'), DATASETS)
    assert len(try_part('x', dict(type='BackgroundCrops', sizes=[0.5]), DATASETS).sizes) == 1


def test_pipeline():
    """Each transform is tried with the config's values in place of their names."""
    crop = dict(type='RandomCrop', size='$crop_size')
    check_pipeline('p', dict(crop=crop, flip=None), dict(crop_size=32))
    with pytest.raises(InvalidInputError, match='many'):
        check_pipeline('p', dict(crop=crop), dict(crop_size='many'))
    with pytest.raises(InvalidInputError, match=r'p is \[\], expected transforms by name'):
        check_pipeline('p', [], {})


@TRANSFORMS.register_module(force=True)
class ReadsTable:
    """A transform of one's own that reads a file while it is built."""

    def __init__(self, path):
        self.text = open(path).read()  # noqa: SIM115


def test_a_transform_whose_file_is_elsewhere(tmp_path):
    """An evaluation does without the training's files; what is wrong beside that is still said."""
    table = dict(type='ReadsTable', path=str(tmp_path / 'none.txt'))
    check_pipeline('p', dict(table=table), {})
    with pytest.raises(MissingFileError, match='p.table cannot be built: .*none.txt'):
        try_part('p.table', table, TRANSFORMS)
    with pytest.raises(InvalidInputError, match='p.table cannot be built: '):
        check_pipeline('p', dict(table=dict(table, path=[])), {})


def test_negatives_that_are_elsewhere(tmp_path):
    """An evaluation on another machine has not the pictures; without a folder there are none."""
    missing = dict(type='NegativeFolder', folder=str(tmp_path / 'none'))
    try_but_files('seam.negatives', missing, DATASETS, {})
    try_but_files('seam.negatives', None, DATASETS, {})
    with pytest.raises(InvalidInputError, match='seam.negatives cannot be built: .*folder'):
        try_but_files('seam.negatives', dict(type='NegativeFolder'), DATASETS, {})
    with pytest.raises(InvalidInputError, match="seam.negatives.confidence is 'high', expected"):
        try_but_files(
            'seam.negatives', dict(type='BackgroundCrops', confidence='high'), DATASETS, {}
        )


def test_source_of_image_labels():
    """A source lacks an argument; the data set is no argument of the config's."""
    check_image_label_source('m', None)
    check_image_label_source('m', dict(type='MaskImageLabels'))
    check_image_label_source('m', dict(type='JSONImageLabels', path='none.json'))
    with pytest.raises(InvalidInputError, match="m: missing a required argument: 'path'"):
        check_image_label_source('m', dict(type='JSONImageLabels'))
    with pytest.raises(InvalidInputError, match="unknown key 'm.dataset' of MaskImageLabels"):
        check_image_label_source('m', dict(type='MaskImageLabels', dataset=3))


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        (dict(type='JSONImageLabels'), "m.parts.voc: missing a required argument: 'path'"),
        (dict(type='Typo'), "m.parts.voc.type is 'Typo', which is not registered"),
        (5, r'm.parts.voc is 5, expected dict\(type='),
    ],
)
def test_sources_of_parts(part, message):
    """Those of joined data sets are sources, too."""
    with pytest.raises(InvalidInputError, match=message):
        check_image_label_source('m', dict(type='PartImageLabels', parts=dict(voc=part)))
