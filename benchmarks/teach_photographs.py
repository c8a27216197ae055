"""Teach a network of photographs one class after another, as a user with a folder would.

    python benchmarks/teach_photographs.py --data-root VOC_PHOTOS --model FINAL.PTH --out DIR
        [--classes horse cow sheep] [--images 50 100 all] [--seeds 0 1 2] [--cfg-options …]

For each class a folder is written: the first pictures of VOC's training list that show it (50, 100
or all), with masks of nothing but this class, and all pictures of ``val`` with such masks to test
on.  Each class is taught to the network that learned the one before; no old picture is learned
from.  MODEL knows person, cat and dog (``configs/mib/bisenet_lite0_voc_animals_3-1.py --steps 0``).
A chain that is in ``DIR/results.jsonl`` is not run again.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from side_by_side import report

from incseg.apis.config.loading import parse_options
from incseg.apis.teach import teach
from incseg.datasets import VOCDataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-root', required=True)
    parser.add_argument('--model', required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--classes', nargs='+', default=['horse', 'cow', 'sheep'])
    parser.add_argument('--images', nargs='+', default=['50', '100', 'all'])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--method', default='mib')
    parser.add_argument('--name', default='', help='of these settings, in the results')
    parser.add_argument('--cfg-options', nargs='+', default=[])
    args = parser.parse_args()
    options = parse_options(args.cfg_options)
    results = args.out / 'results.jsonl'
    lines: list[dict[str, Any]] = []
    if results.is_file():
        lines = [json.loads(line) for line in results.read_text().splitlines()]
    args.out.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        for images in args.images:
            chain = dict(name=args.name, images=images, seed=seed)
            if any({**line, **chain} == line for line in lines):
                continue
            found = taught(args, chain, options)
            lines += found
            with results.open('a') as file:
                file.writelines(json.dumps(line) + '\n' for line in found)
    show(lines)


def taught(
    args: argparse.Namespace, chain: dict[str, Any], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Teach all classes one after another; return a line of results for each."""
    model, found = args.model, []
    images, seed, name = chain['images'], chain['seed'], chain['name']
    for new in args.classes:
        root = args.out / 'folders'
        learned = folder(args.data_root, 'train_aug', new, root / f'{new}_{images}', images)
        tested = folder(args.data_root, 'val', new, root / f'{new}_val', None)
        start = time.monotonic()
        result = teach(
            model,
            learned / 'images',
            masks=learned / 'masks',
            classes=[new],
            val=str(tested),
            out=args.out / f'{name or "default"}_{images}_seed{seed}' / new,
            method=args.method,
            seed=seed,
            resume=True,
            options=options,
        )
        found.append(
            dict(
                chain,
                new=new,
                seconds=result.ledger.steps[-1]['seconds'],
                whole=time.monotonic() - start,
                before=result.before,
                after=result.after,
                elsewhere=result.elsewhere,
                kept=result.kept,
            )
        )
        model = result.checkpoint
    return found


def folder(data_root: str, split: str, name: str, out: Path, images: str | None) -> Path:
    """Write pictures of a split and masks of one class, unless they are there.

    Args:
        data_root: A folder as VOC's.
        split: Its split.
        name: The class.
        out: Folder of ``images`` and ``masks``.
        images: How many of the pictures with the class: a number or ``'all'``; None for all
            pictures, also those without it.
    """
    if (out / 'done').is_file():
        return out
    dataset = VOCDataset(data_root, split)
    dataset.full_init()
    wanted = dataset.metainfo['classes'].index(name)
    chosen = np.arange(len(dataset))
    if images is not None:
        chosen = np.flatnonzero(dataset.presence()[:, wanted])
        chosen = chosen if images == 'all' else chosen[: int(images)]
    for kind in ('images', 'masks'):
        (out / kind).mkdir(parents=True, exist_ok=True)
    for i in chosen:
        entry = dataset.get_data_info(int(i))
        labels = dataset.label_reader(entry['seg_map_path'])
        mask = np.where(labels == 255, 255, labels == wanted).astype(np.uint8)
        link = out / 'images' / os.path.basename(entry['img_path'])
        if not link.exists():
            link.write_bytes(Path(entry['img_path']).read_bytes())
        cv2.imwrite(str(out / 'masks' / f'{link.stem}.png'), mask)
    (out / 'done').touch()
    return out


def show(lines: list[dict[str, Any]]) -> None:
    """Print a line for each class that was taught."""
    rows = []
    for line in lines:
        old = [name for name in line['before'] if name != 'background']
        lost = [
            line['before'][name] - line['after'][name]
            for name in old
            if line['before'][name] is not None
        ]
        most = max((v for v in line['elsewhere'].values() if v is not None), default=0.0)
        rows.append(
            (
                line['name'],
                line['images'],
                str(line['seed']),
                line['new'],
                f'{line["after"][line["new"]]:.1f}',
                f'{max(lost):.1f}',
                f'{most:.1f} %',
                f'{line["seconds"] / 60:.1f} min',
            )
        )
    heads = ('settings', 'images', 'seed', 'class', 'its IoU', 'most lost', 'elsewhere', 'training')
    report('Classes that were taught, IoU in %', heads, rows)


if __name__ == '__main__':
    main()
