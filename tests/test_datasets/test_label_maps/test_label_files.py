import numpy as np
import pytest
from PIL import Image

from incseg.datasets import read_label_file
from incseg.datasets.label_maps.label_file import write_label_file
from incseg.errors import InvalidInputError, MissingFileError, SaveError

IDS = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize('palette', [True, False])
def test_every_id_survives(tmp_path, write_label, palette):
    """If this fails, a palette was expanded to colours or grey was rescaled: wrong classes."""
    read = read_label_file(write_label(tmp_path / 'a.png', IDS, palette))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, IDS)


def test_palette_of_few_bits_keeps_its_indices(tmp_path):
    """Annotation tools write palettes of 4 bits; their indices are ids as they are."""
    image = Image.fromarray(IDS % 16)
    image.putpalette(list(range(48)))
    image.save(tmp_path / 'a.png', bits=4)
    np.testing.assert_array_equal(read_label_file(tmp_path / 'a.png'), IDS % 16)


def test_grey_of_four_bits_is_refused(tmp_path):
    """PIL stretches it (id 1 reads as 17, a valid VOC class), so it must not pass silently."""
    Image.fromarray(IDS % 16).save(tmp_path / 'a.png', bits=4)
    with pytest.raises(InvalidInputError, match=r"a\.png' is grey of 4 bits; allowed is an 8-bit"):
        read_label_file(tmp_path / 'a.png')


@pytest.mark.parametrize(
    ('name', 'image', 'message'),
    [
        ('rgb.png', Image.new('RGB', (4, 4)), "of mode 'RGB' instead of one 8-bit channel"),
        ('deep.png', Image.fromarray(np.zeros((4, 4), np.uint16)), "of mode 'I;16'"),
        ('bits.png', Image.new('1', (4, 4)), "of mode '1'"),
        ('lossy.jpg', Image.new('L', (4, 4)), 'a JPEG, whose compression alters ids'),
    ],
)
def test_images_that_hold_no_ids_are_refused(tmp_path, name, image, message):
    """Colours, 16 bits or lossy coding would be read as nonsense ids."""
    image.save(tmp_path / name)
    with pytest.raises(InvalidInputError, match=message) as error:
        read_label_file(tmp_path / name)
    assert name in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('keep', [0.0, 0.001, 0.05, 0.5, 0.97])
def test_cut_short_is_named(tmp_path, write_label, keep):
    """A half-copied file must stop the run by name, not end in a partial mask."""
    noise = np.random.default_rng(0).integers(0, 21, (40, 60))
    path = write_label(tmp_path / 'cut.png', noise, palette=False)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(InvalidInputError, match=r"label file '.*cut\.png' cannot be read \("):
        read_label_file(path)


def test_text_and_folder_are_named(tmp_path):
    """Something that is no image at all is the user's mistake, with one line."""
    (tmp_path / 'text.png').write_text('hello')
    for name in ('text.png', ''):
        with pytest.raises(InvalidInputError, match='cannot be read'):
            read_label_file(tmp_path / name)


def test_missing_is_named(tmp_path):
    """The path that was looked for is the first thing one wants to know."""
    with pytest.raises(MissingFileError, match=r"label file '.*none\.png' does not exist"):
        read_label_file(tmp_path / 'none.png')


def test_written_whole_or_not_at_all(tmp_path):
    """Every id comes back; a viewer shows VOC's colours; what cannot be written leaves nothing."""
    write_label_file(tmp_path / 'new/a.png', IDS)
    np.testing.assert_array_equal(read_label_file(tmp_path / 'new/a.png'), IDS)
    with Image.open(tmp_path / 'new/a.png') as image:
        assert image.mode == 'P' and image.convert('RGB').getpixel((15, 0)) == (192, 128, 128)
    with pytest.raises(SaveError, match='cannot write'):
        write_label_file(tmp_path / 'new/a.png/b.png', IDS)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.png']
