"""The same mutants in another tree, where files have moved and functions may have other names."""

import difflib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from operators import Mutant, mutants_of

#: where the code under test is, in the old layout and in the new one
SCOPE = (
    'incseg/protocols/**/*.py',
    'incseg/models/losses/**/*.py',
    'incseg/evaluation/**/*.py',
    'incseg/engine/checkpoint.py',
    'incseg/engine/checkpoint/*.py',
    'incseg/utils/tensor_files.py',
    'incseg/utils/rules.py',
    'incseg/utils/progress.py',
    'incseg/utils/arguments.py',
    'incseg/utils/precision.py',
)
#: the fused losses, in the old layout and in the new one
LEFT_OUT = (
    'incseg/models/losses/fused/*',
    '*/losses/*/fused.py',
    '*/losses/*/row_chunks.py',
    '*/losses/*/triton_*.py',
    '*/losses/*/scratch.py',
    '*/losses/*/channel_groups.py',
    '*/losses/*/worker_threads.py',
    '*/losses/*/image_by_image.py',
    '*/losses/*/bilinear.py',
)
KEY = ('scope', 'operator', 'statement', 'node', 'occurrence')
#: how alike statements have to be for one to stand for the other
ALIKE = 0.5

Entry = Mapping[str, Any]


def all_mutants(
    tree: Path, scope: Sequence[str] = SCOPE, left_out: Sequence[str] = LEFT_OUT
) -> list[Mutant]:
    """Return the mutants of all modules of the scope, in a fixed order."""
    files = sorted({file for pattern in scope for file in tree.glob(pattern)})
    modules = [file.relative_to(tree).as_posix() for file in files]
    modules = [name for name in modules if not any(fnmatch(name, out) for out in left_out)]
    return [mutant for name in modules for mutant in mutants_of((tree / name).read_text(), name)]


def sample(tree: Path, seed: int, count: int, scope: Sequence[str]) -> list[dict[str, Any]]:
    """Draw mutants at random and describe them as the sample's file does."""
    mutants = all_mutants(tree, scope)
    chosen = random.Random(seed).sample(range(len(mutants)), min(count, len(mutants)))
    return [
        dict(id=number, **describe(mutants[place])) for number, place in enumerate(sorted(chosen))
    ]


def describe(mutant: Mutant) -> dict[str, Any]:
    """Return what identifies a mutant, and where it was found."""
    return dict(
        module=mutant.module,
        line=mutant.lines[0],
        **{name: getattr(mutant, name) for name in KEY},
        mutated=mutant.mutated,
    )


class Matcher:
    """Finds the mutants of a sample in a tree, each at most once.

    Args:
        mutants: All mutants of the tree.
        renames: Old name -> new name.  An old name may be ``module::name``, then it holds in the
            module (the file's name without its suffix) alone.
    """

    def __init__(self, mutants: Sequence[Mutant], renames: Mapping[str, str] | None = None) -> None:
        self.mutants = mutants
        self.renames = dict(renames or {})
        self.used: set[int] = set()

    def match(self, entries: Sequence[Entry]) -> list[tuple[str, Mutant]]:
        """Find every mutant of a sample.

        Returns:
            For each how it was found, and the mutant: ``'exact'``; ``'moved'``: the same change
            in a function of another name; ``'nearest'``: in another statement of the function;
            ``'replaced'``: another change of the function, or of the module.
        """
        found: dict[int, tuple[str, Mutant]] = {}
        ways = self._exact, self._moved, self._nearest, self._replaced
        for how, way in zip(('exact', 'moved', 'nearest', 'replaced'), ways, strict=True):
            for i, entry in enumerate(entries):
                if i in found:
                    continue
                place = way(self.renamed(entry), entry)
                if place is not None:
                    self.used.add(place)
                    found[i] = how, self.mutants[place]
        return [found[i] for i in range(len(entries))]

    def renamed(self, entry: Entry) -> dict[str, Any]:
        """Return a mutant's description with the new names in it."""
        stem = PurePosixPath(entry['module']).stem
        names = {}
        for old, new in self.renames.items():
            module, _, name = old.rpartition('::')
            if module in ('', stem):
                names[name] = new
        if not names:
            return dict(entry)
        pattern = re.compile(r'\b(' + '|'.join(map(re.escape, names)) + r')\b')
        texts = {name: pattern.sub(lambda m: names[m[0]], entry[name]) for name in KEY[:4]}
        return {**entry, **texts}

    def _free(self) -> Iterator[tuple[int, Mutant]]:
        return ((i, m) for i, m in enumerate(self.mutants) if i not in self.used)

    def _exact(self, wanted: Entry, entry: Entry) -> int | None:
        same = [
            i
            for i, mutant in self._free()
            if all(getattr(mutant, name) == wanted[name] for name in KEY)
        ]
        return self._closest(same, wanted)

    def _moved(self, wanted: Entry, entry: Entry) -> int | None:
        same = [
            i
            for i, mutant in self._free()
            if all(getattr(mutant, name) == wanted[name] for name in KEY[1:4])
            and self._related(mutant, wanted)
        ]
        return self._closest(same, wanted)

    def _nearest(self, wanted: Entry, entry: Entry) -> int | None:
        ranks = []
        for i, mutant in self._free():
            if mutant.scope == wanted['scope'] and mutant.operator == wanted['operator']:
                like = ratio(mutant.statement, wanted['statement'])
                same = mutant.node == wanted['node']
                if like >= ALIKE and ratio(mutant.node, wanted['node']) >= ALIKE:
                    home = _stem(mutant.module) == _stem(entry['module'])
                    ranks.append((same, like, home, -i))
        return -max(ranks)[-1] if ranks else None

    def _replaced(self, wanted: Entry, entry: Entry) -> int | None:
        stem = _stem(entry['module'])
        choices = [
            [i for i, m in self._free() if m.scope == wanted['scope'] and wanted['scope']],
            [i for i, m in self._free() if _stem(m.module) == stem],
            [i for i, _ in self._free()],
        ]
        for choice in choices:
            if choice:
                return random.Random(str(entry['id'])).choice(choice)
        raise ValueError('the tree has fewer mutants than the sample')

    def _related(self, mutant: Mutant, wanted: Entry) -> bool:
        """Tell whether a function may be the wanted one under another name or in another file."""
        ours, theirs = mutant.scope, str(wanted['scope'])
        if _stem(mutant.module) == _stem(str(wanted['module'])):
            return True
        last = ours.rpartition('.')[2].strip('_') == theirs.rpartition('.')[2].strip('_')
        return last or len(str(wanted['statement'])) > 40

    def _closest(self, places: Sequence[int], wanted: Entry) -> int | None:
        """Return the one whose file, else whose function, has the name that is most alike."""

        def rank(i: int) -> tuple[bool, float, int]:
            mutant = self.mutants[i]
            same = _stem(mutant.module) == _stem(wanted['module'])
            return same, ratio(mutant.scope, wanted['scope']), -i

        return max(places, key=rank, default=None)


def ratio(one: str, other: str) -> float:
    """Return how alike two texts are, 0 to 1."""
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _stem(module: str) -> str:
    return PurePosixPath(module).stem
