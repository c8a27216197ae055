"""``incseg predict`` on videos: frames through OpenCV; skipped ones are said."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from incseg.apis import predict
from incseg.apis.prediction.inputs import list_sources
from incseg.cli.main import main
from incseg.errors import InvalidInputError

TOY = dict(imports=['toy_parts'])


def test_every_third_frame(here, clip, capsys):
    """If it fails, other frames are predicted than the user asked for, or under other numbers."""
    assert predict('final.pth', clip, write=['labels'], every=3, **TOY) == []
    files = sorted(Path('predictions/labels/clip').iterdir())
    assert [file.name for file in files] == ['000000.png', '000003.png', '000006.png']
    assert np.array(Image.open(files[0])).shape == (48, 64)
    assert 'clip.avi: 3 frames predicted, one of 3\n' in capsys.readouterr().out
    with pytest.raises(InvalidInputError, match="'predictions/(classes.json|labels/clip)' exists"):
        predict('final.pth', clip, write=['labels'], **TOY)


def test_frames_are_the_videos_own(clip):
    """If it fails, a frame's number names another frame."""
    [source], notes = list_sources(clip)
    means = {name: pixels.mean() for name, _, pixels in source.pictures(2)}
    assert notes == [] and source.skipped == [] and source.count(2) == 4
    assert [*means] == [f'clip/{i:06d}' for i in (0, 2, 4, 6)]
    assert all(abs(means[f'clip/{i:06d}'] - 30 * i) < 4 for i in (0, 2, 4, 6))


def test_frames_that_cannot_be_read_are_said(clip, monkeypatch):
    """If it fails, missing frames pass for predicted ones, or the readable ones are lost."""

    class Lossy:
        """A video of which OpenCV cannot read the frames 2 and 5."""

        def __init__(self, name):
            self.video, self.number = real(name), -1

        def read(self):
            self.number += 1
            found, pixels = self.video.read()
            return found and self.number not in (2, 5), pixels

        def __getattr__(self, name):
            return getattr(self.video, name)

    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', Lossy)
    [source], _ = list_sources(str(clip))
    assert len([*source.pictures()]) == 5
    assert source.skipped == [
        f'video {str(clip)!r}: 2 of 7 frames could not be read, first number 2'
    ]


def test_a_file_that_is_no_video_is_one_line(here, capfd):
    """If it fails, OpenCV's own lines hide the file's name, or the run stops in a traceback."""
    Path('broken.mp4').write_bytes(b'nothing of a video' * 99)
    with pytest.raises(SystemExit) as stop:
        main(['predict', 'final.pth', 'photos', 'broken.mp4', '--import', 'toy_parts'])
    assert str(stop.value).startswith("error: video 'broken.mp4' cannot be read by OpenCV, expect")
    printed = capfd.readouterr()
    assert printed.out + printed.err == '' and not Path('predictions').exists()


def test_a_folder_says_what_it_skips(here, clip, capsys):
    """If it fails, a file that was not predicted goes unnoticed."""
    clip.rename('photos/clip.avi')
    Path('photos/notes.txt').write_text('x')
    main(['predict', 'final.pth', 'photos', '--every', '4', '--import', 'toy_parts'])
    printed = capsys.readouterr().out
    assert 'skipped  1 file of photos is no picture and no video, first notes.txt\n' in printed
    assert 'saved    4 pictures in predictions: labels, overlays, classes.json\n' in printed


def test_a_damaged_picture_ends_in_status_one(here):
    """If it fails, a script believes that everything was predicted."""
    Path('photos/c.png').write_bytes(b'')
    with pytest.raises(SystemExit, match="error: image 'photos/c.png' is an empty file.*; the oth"):
        main(['predict', 'final.pth', 'photos', '--import', 'toy_parts'])
    assert Path('predictions/labels/b.png').is_file()
