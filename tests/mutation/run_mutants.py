"""Mutation testing of incseg: which changes of its code do the tests notice?

Draw a sample of mutants, run the tests against each, and compare two runs, of the code before and
after a change that should not matter:

    python run_mutants.py sample TREE --seed 0 --count 400 --out sample.json
    python run_mutants.py run TREE --sample sample.json --out before.json
    python run_mutants.py run OTHER --sample sample.json --out after.json --renames renames.json
    python run_mutants.py report before.json after.json

``run`` goes on where an earlier one was stopped.  It needs Unix (fork) and coverage.py.  The trees
stay as they are.
"""

import argparse
import ast
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import children
from children import Child, Copy
from matching import SCOPE, Matcher, all_mutants, describe, sample
from operators import Mutant
from report import report
from selection import TESTS, Selection, modules_of, record

#: after how many seconds of processor time the baseline is given up
BASELINE_LIMIT = 3600
Found = list[tuple[dict[str, Any], str, Mutant]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Raw)
    commands = parser.add_subparsers(dest='command', required=True)
    one = commands.add_parser('sample', help='draw mutants at random')
    one.add_argument('tree', type=Path)
    one.add_argument('--seed', type=int, default=0)
    one.add_argument('--count', type=int, default=400)
    one.add_argument('--out', type=Path, required=True)
    two = commands.add_parser('run', help='run the tests against every mutant of a sample')
    two.add_argument('tree', type=Path)
    two.add_argument('--sample', type=Path, required=True)
    two.add_argument('--out', type=Path, required=True)
    two.add_argument('--renames', type=Path, help='JSON: old name -> new name')
    two.add_argument('--workers', type=int, default=1)
    two.add_argument('--tests', nargs='+', default=TESTS, help='folders and files of tests')
    two.add_argument('--ids', type=int, nargs='+', help='run these of the sample alone')
    two.add_argument('--again', nargs='+', default=(), help='run those of these outcomes again')
    for each in (one, two):
        each.add_argument('--scope', nargs='+', default=SCOPE, help='globs of the code')
    three = commands.add_parser('report', help='compare two runs')
    three.add_argument('results', type=Path, nargs='+', metavar='RESULT')
    options = parser.parse_args()
    if options.command == 'sample':
        drawn = sample(options.tree.resolve(), options.seed, options.count, options.scope)
        write(options.out, drawn)
    elif options.command == 'run':
        run(options)
    else:
        print(report(*[json.loads(path.read_text()) for path in options.results[:2]]))


class Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


def write(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    partial = path.with_name(path.name + '.part')
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n')
    partial.rename(path)


def run(options: argparse.Namespace) -> None:
    """Run the tests against the mutants of a sample that have no result yet."""
    tree = options.tree.resolve()
    entries = json.loads(options.sample.read_text())
    renames = json.loads(options.renames.read_text()) if options.renames else {}
    mutants = all_mutants(tree, options.scope)
    matched = Matcher(mutants, renames).match(entries)
    found = [(entry, how, mutant) for entry, (how, mutant) in zip(entries, matched, strict=True)]
    content: dict[str, Any] = dict(results=[])
    if options.out.is_file():
        content = json.loads(options.out.read_text())
    content['results'] = [r for r in content['results'] if r['outcome'] not in options.again]
    done = {result['id'] for result in content['results']}
    children.import_heavy()
    with tempfile.TemporaryDirectory(prefix='mutants_') as folder:
        first = Copy(tree, Path(folder, '0'))
        recorded = baseline(first, options, modules_of(mutants))
        selection = Selection(recorded)
        content['dropped'] = control(first, selection, found, options.out)
        copies = [first]
        for i in range(1, options.workers):
            copies.append(Copy(tree, Path(folder, str(i)), first.root))
        todo = [item for item in found if item[0]['id'] not in done]
        if options.ids:
            todo = [item for item in todo if item[0]['id'] in options.ids]
        work(copies, selection, todo, content, options.out)


def baseline(copy: Copy, options: argparse.Namespace, modules: Sequence[str]) -> dict[str, Any]:
    """Return what each test runs, from the file beside the results if the tree is the same."""
    digest = hashlib.sha256(repr((list(modules), list(options.tests))).encode())
    for part in ('incseg', 'tests'):
        for file in sorted(copy.tree.joinpath(part).rglob('*.py')):
            digest.update(file.read_bytes())
    path = options.out.with_suffix('.baseline.json')
    kept = json.loads(path.read_text()) if path.is_file() else {}
    if kept.get('tree') == digest.hexdigest():
        return dict(kept)
    say('baseline: which lines does each test run?')
    job = partial(record, copy, modules, options.tests)
    result = children.start(copy, BASELINE_LIMIT, job).wait()
    if 'lines' not in result:
        sys.exit(f'the baseline failed: {result}\n{copy.log.read_text()[-3000:]}')
    bad = [name for name, outcome in result['bad'].items() if outcome == 'failed']
    say(f'{len(result["durations"])} tests in {result["seconds"]} s, {len(bad)} left out: {bad}')
    write(path, dict(result, tree=digest.hexdigest()))
    return result


def control(copy: Copy, selection: Selection, found: Found, out: Path) -> list[str]:
    """Run the chosen tests without a change, and leave out those that fail all the same.

    Each module is replaced by its own syntax tree written out, which is a mutant that changes
    nothing; the tests are those of all its mutants of the sample.
    """
    path = out.with_suffix('.control.json')
    kept = json.loads(path.read_text()) if path.is_file() else {}
    for module in modules_of(mutant for _, _, mutant in found):
        mutants = [mutant for _, _, mutant in found if mutant.module == module]
        tests = list(dict.fromkeys(test for m in mutants for test in selection.tests(m)))
        source = ast.unparse(ast.parse(copy.source(module)))
        key = hashlib.sha256(repr((module, source, tests)).encode()).hexdigest()
        if key not in kept and tests:
            copy.change(module, source)
            job = partial(children.run_tests, copy, tests, first_only=False)
            result = children.start(copy, selection.limit(tests), job).wait()
            if result['code'] not in (children.PASSED, children.FAILED):
                sys.exit(f'the control of {module}: {result}\n{copy.log.read_text()[-3000:]}')
            if result['ran'] < len(tests):
                sys.exit(f'the control of {module} ran {result["ran"]} of {len(tests)} tests')
            kept[key] = result['failed']
            say(f'control {module}: {len(tests)} tests, {len(result["failed"])} fail')
            write(path, kept)
        selection.dropped.update(kept.get(key, ()))
    copy.restore()
    return sorted(selection.dropped)


def work(
    copies: Sequence[Copy], selection: Selection, todo: Found, content: dict[str, Any], out: Path
) -> None:
    """Run the tests against the mutants, as many at a time as there are copies."""
    waiting = list(reversed(todo))
    running: dict[int, tuple[Child, tuple[dict[str, Any], str, Mutant], list[str]]] = {}
    while waiting or running:
        for i, copy in enumerate(copies):
            if i in running or not waiting:
                continue
            item = waiting.pop()
            mutant = item[2]
            tests = selection.tests(mutant)
            copy.change(mutant.module, mutant.apply(copy.source(mutant.module)))
            job = partial(children.run_tests, copy, tests)
            running[i] = children.start(copy, selection.limit(tests), job), item, tests
        for i, (child, item, tests) in list(running.items()):
            result = child.finished()
            if result is not None:
                del running[i]
                entry, how, mutant = item
                told = judge(result, tests)
                content['results'].append(
                    dict(
                        id=entry['id'], **told, how=how, covered=selection.is_run(mutant),
                        tests=len(tests), seconds=result['seconds'], **describe(mutant),
                    )
                )  # fmt: skip
                content['results'].sort(key=lambda kept: kept['id'])
                write(out, content)
                say(f'{entry["id"]} {told["outcome"]} {mutant.module} {mutant.scope} {told["by"]}')
        time.sleep(children.PAUSE)


def judge(result: dict[str, Any], tests: Sequence[str]) -> dict[str, Any]:
    """Return the outcome of a mutant: killed and by which test, survived, timeout or error."""
    code, failed = result['code'], result.get('failed')
    if code == 'timeout':
        return dict(outcome='timeout', by=None, why='')
    if code == 'crash':
        return dict(outcome='killed', by='the process died', why=result['why'])
    if code == children.MISUSED:  # pytest's code where a conftest.py cannot be imported
        return dict(outcome='killed', by='the import of conftest.py', why='')
    if code in (children.FAILED, children.INTERRUPTED) and failed:
        return dict(outcome='killed', by=failed[0], why=result['why'])
    if not tests or (code == children.PASSED and result['ran'] == len(tests)):
        return dict(outcome='survived', by=None, why='')
    return dict(outcome='error', by=None, why=f'exit code {code}, {result["ran"]} tests ran')


def say(line: str) -> None:
    """Print with the time of day, at once."""
    print(time.strftime('%H:%M:%S'), line, flush=True)


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    main()
