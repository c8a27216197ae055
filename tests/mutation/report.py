"""What two runs over the same sample have in common, and where they differ."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

OUTCOMES = ('killed', 'timeout', 'survived', 'error')
#: what counts as noticed
NOTICED = ('killed', 'timeout')


def report(*runs: dict[str, Any]) -> str:
    """Return the comparison as text; with one run, its numbers and survivors."""
    results = [{result['id']: result for result in run['results']} for run in runs]
    lines = [summary(found.values()) for found in results]
    if len(results) == 1:
        lines += ['', 'survivors:']
        lines += [line(found) for found in results[0].values() if not noticed(found)]
        return '\n'.join(lines)
    before, after = results
    both = sorted(before.keys() & after.keys())
    how = Counter(after[i]['how'] for i in both)
    lines += [f'in both runs: {len(both)}; found again: {dict(how)}']
    lost = [i for i in both if noticed(before[i]) and not noticed(after[i])]
    won = [i for i in both if not noticed(before[i]) and noticed(after[i])]
    for title, ids in (('noticed before, not after', lost), ('noticed after, not before', won)):
        lines += ['', f'{title}: {len(ids)}', *(line(after[i]) for i in ids)]
    others = [i for i in both if after[i]['how'] not in ('exact', 'moved')]
    lines += ['', f'another change stands for the mutant: {len(others)}']
    for i in others:
        lines += [f'{line(before[i])}', f'  {after[i]["how"]}: {line(after[i])}']
    missing = sorted(before.keys() ^ after.keys())
    if missing:
        lines += ['', f'in one run alone: {missing}']
    return '\n'.join(lines)


def noticed(result: dict[str, Any]) -> bool:
    """Tell whether the tests noticed the change."""
    return result['outcome'] in NOTICED


def summary(results: Iterable[dict[str, Any]]) -> str:
    """Return how many mutants there are of each outcome."""
    counts = Counter(result['outcome'] for result in results)
    total = sum(counts.values())
    share = 100 * sum(counts[name] for name in NOTICED) / total if total else 0
    return f'{total} mutants, {share:.1f} % noticed: ' + ', '.join(
        f'{counts[name]} {name}' for name in OUTCOMES if counts[name]
    )


def line(result: dict[str, Any]) -> str:
    """Return one mutant in one line."""
    node, mutated = (' '.join(result[key].split())[:70] for key in ('node', 'mutated'))
    place = f'{result["module"]}:{result["line"]} {result["scope"]}'
    return f'{result["id"]} {result["outcome"]} {place}: {result["operator"]}: {node} -> {mutated}'
