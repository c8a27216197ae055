"""Damaged files: none is used in silence, and none ends in a traceback."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faults.toy_runs import in_child, outcome, toy_config, train
from incseg.datasets.label_maps import write_label_file
from incseg.engine import evaluate_checkpoint, train_protocol

Damage = Callable[[bytes, random.Random], bytes]


def flip(content: bytes, rng: random.Random) -> bytes:
    """Flip one bit."""
    changed = bytearray(content)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def zero(content: bytes, rng: random.Random) -> bytes:
    """Replace a block of at most 64 bytes by zeros."""
    start = rng.randrange(len(content))
    end = min(start + 64, len(content))
    return content[:start] + bytes(end - start) + content[end:]


def edit(content: bytes, rng: random.Random) -> bytes:
    """Change one digit of a text."""
    places = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
    place = rng.choice(places)
    other = (content[place] - ord('0') + rng.randrange(1, 10)) % 10
    return content[:place] + str(other).encode() + content[place + 1 :]


DAMAGES: dict[str, Damage] = {
    'bit flipped': flip,
    'cut short': lambda content, rng: content[: rng.randrange(1, len(content))],
    'zeros': zero,
    'empty': lambda content, rng: b'',
    'other bytes': lambda content, rng: rng.randbytes(len(content)),
}
TEXTS: dict[str, Damage] = {
    'null': lambda content, rng: b'null\n',
    '[]': lambda content, rng: b'[]\n',
    '{}': lambda content, rng: b'{}\n',
    'edited': edit,
}


@dataclass
class Situation:
    """A folder in which a run may go on, and the files that it then reads.

    Args:
        folder: The folder, which is copied for each trial.
        files: Patterns of the files to damage, by kind.
        work: Goes on in a copy.
        result: What must come out, from a copy.
    """

    folder: Path
    files: dict[str, str]
    work: Callable[[Path], Callable[[], Any]]
    result: Callable[[Path], Any]


def interrupt(work: Callable[[], Any], folder: Path, log: Path) -> None:
    """Do some work until step 1 of the run in ``folder`` can be resumed, and stop there."""

    def stop() -> None:
        replace = os.replace

        def counted(source: Any, target: Any) -> None:
            replace(source, target)
            if str(target).endswith('step_1/resume.pth'):
                os._exit(0)

        os.replace = counted  # type: ignore[assignment]
        work()

    status, said = in_child(stop, log)
    assert status == 0 and (folder / 'run/step_1/resume.pth').is_file(), said


def evaluated(copy: Path) -> Any:
    """Return what an evaluation wrote."""
    return json.loads((copy / 'test/test_step_2.json').read_text())


def situations(folder: Path) -> dict[str, Situation]:
    """Make the pristine folders."""
    finished, broken, weak, base = (folder / name for name in ('finished', 'mib', 'mib_s', 'base'))
    for each in (finished, broken, weak, base):
        each.mkdir(parents=True)
    status, said = in_child(train('mib', finished), finished / 'log')
    assert status == 0, said
    scores = {'seam.inference.scores': True}
    interrupt(train('mib', broken), broken, broken / 'log')
    interrupt(train('mib_s', weak, **scores), weak, weak / 'log')
    shutil.copytree(finished / 'base_steps', base / 'base_steps')
    return {
        'a training that goes on': Situation(
            broken,
            {
                'teacher': 'run/step_0/final.pth',
                'resume.pth': 'run/step_1/resume.pth',
                'metrics.json': 'run/step_0/metrics.json',
                'results.json': 'run/results.json',
                'config.json': 'run/config.json',
            },
            lambda copy: train('mib', copy),
            outcome,
        ),
        'an evaluation': Situation(
            finished,
            {'final.pth': 'run/step_2/final.pth'},
            lambda copy: (
                lambda: evaluate_checkpoint(
                    toy_config('mib', copy), copy / 'run/step_2/final.pth', copy / 'test'
                )
            ),
            evaluated,
        ),
        'a shared base step': Situation(
            base,
            {
                'base final.pth': 'base_steps/*/final.pth',
                'base metrics.json': 'base_steps/*/metrics.json',
            },
            lambda copy: train('mib', copy),
            outcome,
        ),
        'pseudo-labels': Situation(
            weak,
            {
                'seam.pth': 'seam/*/seam.pth',
                'seam config.json': 'seam/*/config.json',
                'meta.json': 'seam/*/labels_*/*/*/meta.json',
                'digests.json': 'seam/*/labels_*/*/*/digests.json',
                'image_labels.json': 'seam/*/labels_*/*/*/image_labels.json',
                'label PNG': 'seam/*/labels_*/*/*/labels/*.png',
                'scores': 'seam/*/labels_*/*/*/scores/*.npz',
            },
            lambda copy: train('mib_s', copy, **scores),
            outcome,
        ),
    }


def data_situations(folder: Path, ending: str) -> dict[str, Situation]:
    """Make pristine folders of a training on files: one to start, one to go on."""
    start = folder / f'start{ending}'
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        for i in range(12):
            mask = np.zeros((36, 40), np.uint8)
            mask[8:28, 4:16], mask[8:28, 24:36] = 1 + i % 2, 2 + i % 2
            picture = rng.integers(0, 99, (36, 40, 3), np.uint8) + 50 * mask[..., None]
            path = start / f'data/images/{split}/{i:02}{ending}'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(ending, picture)[1].tobytes())
            write_label_file(start / f'data/labels/{split}/{i:02}.png', mask)

    def work(copy: Path) -> Callable[[], Any]:
        def run() -> None:
            os.environ['INCSEG_CACHE_DIR'] = str(copy / 'cache')
            config = toy_config('mib', copy, epochs=1, batch_size=2)
            source = dict(
                type='SegDataset',
                data_root='$data_root',
                img_suffix=ending,
                metainfo=dict(classes=['background', 'a', 'b', 'c']),
            )
            config.data_root = str(copy / 'data')
            config.data.train = dict(source, split='train')
            config.data.test = dict(source, split='val')
            config.data.name, config.protocol.name = 'files', '2-1'
            config.schedule.checkpoint_interval = 1
            train_protocol(config, copy / 'run', reuse=False, resume=True)

        return run

    goes_on = folder / f'goes_on{ending}'
    shutil.copytree(start, goes_on)

    interrupt(work(goes_on), goes_on, folder / 'log')
    kind = ending[1:].upper()
    files = {f'user {kind}': f'data/images/*/*{ending}', 'user mask': 'data/labels/*/*.png'}
    caches = {'cached index': 'cache/class_index/*', 'cached digests': 'cache/file_digests/*'}
    return {
        f'a start on {kind} files': Situation(start, files, work, outcome),
        f'a training on {kind} files that goes on': Situation(
            goes_on, {**files, **(caches if kind == 'PNG' else {})}, work, outcome
        ),
    }


def damage_files(folder: Path, trials: int, seed: int = 0) -> tuple[list[str], int, int]:
    """Damage files of every kind, one at a time, and go on.

    Args:
        folder: An empty folder.
        trials: How often each kind of damage is done to each kind of file.
        seed: Decides which file, and where.

    Returns:
        A line for each kind of file, the number of damaged files, and the number of faults.
    """
    rng, total, faults, lines = random.Random(seed), 0, 0, []
    every = situations(folder)
    for ending in ('.png', '.jpg', '.bmp'):
        every |= data_situations(folder, ending)
    for where, situation in every.items():
        copy = folder / 'copy'
        shutil.copytree(situation.folder, copy)
        status, said = in_child(situation.work(copy), folder / 'log')
        assert status == 0, (where, said)
        expected = situation.result(copy)
        shutil.rmtree(copy)
        for kind, pattern in situation.files.items():
            counts: Counter[str] = Counter()
            bad: list[str] = []
            # pictures that still decode, or another picture, are the user's own at the start
            start = where.startswith('a start')
            allowed = start and kind in ('user JPG', 'user BMP')
            damages: dict[str, Damage | None] = {**DAMAGES}
            damages |= TEXTS if kind.endswith('.json') else {}
            damages |= {} if start else {'exchanged': None}
            for name, change in damages.items():
                for _ in range(trials * (4 if name == 'bit flipped' else 1)):
                    shutil.copytree(situation.folder, copy)
                    files = sorted(copy.glob(pattern))
                    path = rng.choice(files)
                    content = path.read_bytes()
                    if change is None:
                        others = [p for p in files if p.read_bytes() != content]
                        if not others:
                            shutil.rmtree(copy)
                            break
                        damaged = rng.choice(others).read_bytes()
                    else:
                        damaged = change(content, rng)
                    path.write_bytes(damaged)
                    status, said = in_child(situation.work(copy), folder / 'log')
                    total += 1
                    if status == 1:
                        counts['refused'] += 1
                    elif status:
                        counts['TRACEBACK'] += 1
                        bad.append(f'    {name}: {(folder / "log").read_text()[-1500:]}')
                    elif situation.result(copy) == expected:
                        counts['same result'] += 1
                    else:
                        counts['used in silence'] += 1
                        bad.append(f'    {name}: {path.relative_to(copy)}')
                    shutil.rmtree(copy)
            silent = 0 if allowed else counts['used in silence']
            faults += counts['TRACEBACK'] + silent
            text = ', '.join(f'{count} {name}' for name, count in sorted(counts.items()))
            lines.append(f'{where}, {kind}: {text}')
            lines += [] if allowed else bad
    return lines, total, faults
