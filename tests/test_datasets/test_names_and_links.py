"""Names of any bytes, and names and links that lead out of a data set."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from incseg.datasets import (
    JSONImageLabels,
    LoadImage,
    LoadLabels,
    SegDataset,
    VOCXMLImageLabels,
    folder_files,
    write_image_labels,
)
from incseg.datasets.negatives.negative_folder import NegativeFolder
from incseg.errors import InvalidInputError, MissingFileError

META = dict(classes=('background', 'cat', 'dog'), palette=[[0, 0, 0], [9, 9, 9], [8, 8, 8]])
ODD = os.fsdecode(b'bild_\xff')


def fill(root, names, write_image, write_label):
    for name in names:
        write_image(root / f'images/train/{name}.png', (2, 2))
        write_label(root / f'labels/train/{name}.png', [[0, 1], [1, 255]])
    return root


@pytest.fixture
def root(tmp_path, write_image, write_label):
    return fill(tmp_path / 'set', ['a', 'b'], write_image, write_label)


@pytest.mark.parametrize('count', [3, 70])
def test_names_that_are_not_utf_8(tmp_path, write_image, write_label, count):
    """If it fails, such names end the process, or the scan by several processes or its cache."""
    names = [f'{ODD}{i:02}' for i in range(count)]
    root = fill(tmp_path / os.fsdecode(b'\xfe'), names, write_image, write_label)
    (root / 'train.txt').write_bytes(b''.join(map(os.fsencode, [f'{n}\n' for n in names])))
    for ann_file in ('', '{split}.txt'):
        for _ in range(2):  # the second time from the cache
            dataset = SegDataset(str(root), metainfo=META, ann_file=ann_file)
            assert dataset.image_ids == names
            assert dataset.presence(2, False).tolist() == [[True, True, False]] * count
    info = LoadLabels()(LoadImage()(dataset.get_data_info(1)))
    assert info['gt_seg_map'].tolist() == [[0, 1], [1, 255]] and info['img'].shape == (2, 2, 3)
    assert len(dataset.file_states()) == 2 * count and dataset.fingerprint()


def test_image_labels_of_such_names(tmp_path, root, write_image, write_label):
    """If it fails, the lists of classes are written with a traceback, or lose the image."""
    dataset = SegDataset(
        str(fill(root, [ODD], write_image, write_label)), metainfo=META, partly_labelled=True
    )
    path = tmp_path / 'labels.json'
    write_image_labels(path, dataset.image_ids, dataset.presence(1, False), META['classes'])
    assert json.loads(path.read_text(encoding='utf-8'))[ODD] == ['cat']
    labels = JSONImageLabels(dataset, str(path)).labels(dataset.image_ids)
    np.testing.assert_array_equal(labels, [[True, True, False]] * 3)


@pytest.mark.parametrize('name', ['../../etc/passwd', '/etc/passwd', 'a/../../b', '..', 'a\0b'])
def test_ids_that_lead_out(root, tmp_path, write_image, write_label, name):
    """If it fails, a list of images reaches files outside of the data set."""
    write_image(tmp_path / 'etc/passwd.png')
    (root / 'train.txt').write_bytes(f'a\n{name}\n'.encode())
    message = 'a path below the image folder|it is binary'
    with pytest.raises(InvalidInputError, match=message):
        SegDataset(str(root), metainfo=META, ann_file='{split}.txt', partly_labelled=True)


@pytest.mark.parametrize('place', ['images/train', 'labels/train'])
@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_links_that_lead_out(root, tmp_path, write_image, place, kind):
    """If it fails, an unpacked archive makes the program read any file of the user's."""
    secret = write_image(tmp_path / 'private/x.png', (2, 2))
    link = root / place / ('x.png' if kind == 'file' else 'x')
    link.symlink_to(secret if kind == 'file' else secret.parent)
    with pytest.raises(InvalidInputError, match=r"link '.*/x.*' is '.*private.*follow_links=True"):
        SegDataset(str(root), metainfo=META, partly_labelled=True)
    more = 1 if place == 'images/train' else 0
    dataset = SegDataset(str(root), metainfo=META, partly_labelled=True, follow_links=True)
    assert len(dataset) == 2 + more


def test_folders_of_the_config_may_be_links(root, tmp_path):
    """If it fails, the usual `ln -s /disk/images data/images` is refused; so are links within."""
    (tmp_path / 'disk').mkdir()
    for name in ('images', 'labels'):
        (root / name).rename(tmp_path / 'disk' / name)
        (root / name).symlink_to(tmp_path / 'disk' / name)
    (tmp_path / 'link').symlink_to(root)
    (tmp_path / 'disk/images/train/c.png').symlink_to('a.png')
    (tmp_path / 'disk/labels/train/c.png').symlink_to(tmp_path / 'disk/labels/train/a.png')
    assert SegDataset(str(tmp_path / 'link'), metainfo=META).image_ids == ['a', 'b', 'c']


@pytest.mark.parametrize('follow', [False, True])
def test_loops_of_links_end(root, follow):
    """If it fails, listing a folder takes for ever, or lists its images 40 times."""
    images = root / 'images/train'
    (images / 'loop').symlink_to('.')
    (images / 'up').symlink_to('..')
    (images / 'self.txt').symlink_to('self.txt')
    dataset = SegDataset(str(root), metainfo=META, partly_labelled=True, follow_links=follow)
    assert dataset.image_ids == ['a', 'b']


def test_links_that_cross_end(tmp_path, monkeypatch):
    """If it fails, folders with links to each other are walked on every way there is."""
    monkeypatch.setattr(folder_files, 'MOST_FOLDERS', 500)
    for a in range(8):
        (tmp_path / f'd/{a}').mkdir(parents=True)
        for b in range(8):
            (tmp_path / f'd/{a}/{b}').symlink_to(f'../{b}')
    with pytest.raises(InvalidInputError, match='number of folders .* expected no links that'):
        folder_files.files_below(tmp_path / 'd')


def test_negatives(tmp_path, write_image):
    """If it fails, the folder of negatives follows links that a data set refuses."""
    write_image(tmp_path / f'n/{ODD}.png')
    (tmp_path / 'n/out.png').symlink_to(write_image(tmp_path / 'x.png'))
    with pytest.raises(InvalidInputError, match='out.png'):
        NegativeFolder(str(tmp_path / 'n'))
    assert len(NegativeFolder(str(tmp_path / 'n'), follow_links=True)) == 2


def test_xml_files(root, tmp_path):
    """If it fails, a link among the XML files shows another file's text in a message."""
    folder = root / 'Annotations'
    folder.mkdir()
    (tmp_path / 'private.xml').write_text('<a><object><name>secret</name></object></a>')
    (folder / 'a.xml').symlink_to(tmp_path / 'private.xml')
    dataset = SegDataset(str(root), metainfo=META)
    with pytest.raises(InvalidInputError, match=r"link '.*a.xml'") as error:
        VOCXMLImageLabels(dataset).labels(['a'])
    assert 'secret' not in str(error.value)
    with pytest.raises(MissingFileError):
        VOCXMLImageLabels(dataset).labels(['b'])


def test_a_walk_of_nothing(tmp_path):
    """A folder that is not there has no files: what misses them says so."""
    assert folder_files.files_below(Path(tmp_path / 'gone')) == set()
