"""The command line: sample mutants, run their tests, print the survivors."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import queue
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.mutants.record import Choice, Map, hashes_of, outdated, record
from tools.mutants.runs import LIBRARIES, Worker, copy_tree
from tools.mutants.sites import Mutant, find_sites, given

ROOT = Path(__file__).parents[2]
MUTATED = ("compact_model", "circuits", "nn_mapping")
MEASURED = ("compact_model", "veriloga", "circuits", "nn_mapping", "hallspice")
MOST_EQUIVALENT = 10
KILLED = ("killed", "timed out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a mutant."""

    mutant: Mutant
    outcome: str
    """`killed`, `timed out`, `survived`, `no test`, or `unsure`: its tests could not be run."""
    tests: int
    seconds: float
    killer: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 where fewer mutants are killed than asked for."""
    options = _parser().parse_args(arguments)
    root = options.root.resolve()
    store = root / "build" / "mutants"
    with _copies(root, options.workers) as trees:
        kept = _map(root, store / "map.json", trees[0], options)
        if options.record:
            return 0
        mutants, left_out = _chosen(root, options)
        choice = Choice(root, kept, options.budget)
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(tree, options.libraries)) for tree in trees]
            results = run(root, mutants, choice, workers)
        kept.save(store / "map.json")  # with the tests that are not used any more
    report = report_of(results, left_out)
    print(report)
    name = f"seed_{options.seed}.json" if not (options.ids or options.at) else "again.json"
    _write(store / name, results, options)
    killed = sum(result.outcome in KILLED for result in results)
    return int(100 * killed < options.least * len(results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    add = parser.add_argument
    add(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(10**6),
        help="of the sample; default: a fresh one",
    )
    add("--number", type=int, default=200, help="mutants to sample (default: 200)")
    add(
        "--only",
        action="append",
        default=[],
        metavar="GLOB or FILE:LINE",
        help="sample from these files or lines",
    )
    add(
        "--ids",
        type=Path,
        metavar="FILE",
        help="run again what survived in a former run (build/mutants/*.json)",
    )
    add("--at", nargs=3, metavar=("FILE:LINE", "BEFORE", "AFTER"), help="try one change of a text in a line")
    add("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes (default: 2)")
    add(
        "--budget", type=float, default=90.0, help="time of the tests of one mutant at most [s] (default: 90)"
    )
    add("--least", type=float, default=95.0, help="percent that must be killed (default: 95)")
    add("--record", action="store_true", help="only bring the map of tests and lines up to date")
    add(
        "--tests",
        nargs="*",
        default=[],
        metavar="PATH",
        help="use a map of these tests alone, for a trial",
    )
    add("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    add("--packages", nargs="*", default=MUTATED, help=argparse.SUPPRESS)
    add("--measured", nargs="*", default=MEASURED, help=argparse.SUPPRESS)
    add("--libraries", nargs="*", default=LIBRARIES, help=argparse.SUPPRESS)
    return parser


@contextmanager
def _copies(root: Path, number: int) -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        trees = [Path(folder).resolve() / f"tree_{count}" for count in range(number)]
        copy_tree(root, trees[0])
        for tree in trees[1:]:
            shutil.copytree(trees[0], tree)
        yield trees


def _map(root: Path, path: Path, tree: Path, options: argparse.Namespace) -> Map:
    """The kept map, brought up to date."""
    now = hashes_of(root, options.measured)
    kept = Map.load(path) if path.is_file() else None
    if kept is None or kept.targets != options.tests:
        _say(f"Recording what each test executes ({' '.join(options.tests) or 'the whole suite'}).")
        kept = record(tree, options.measured, options.tests, options.workers)
        kept.targets = options.tests
    elif kept.hashes == now:
        return kept
    else:
        old = outdated(kept, now)
        there = sorted(file for file in old if (root / file).is_file() and not file.endswith("__init__.py"))
        _say(f"The map is old; recording {len(there)} files with tests again.")
        kept.forget(old)
        if there:
            kept.add(record(tree, options.measured, there, options.workers))
    kept.hashes = now
    kept.save(path)
    failed = [test for test, about in kept.tests.items() if not about["passed"]]
    skipped = sum(about["skipped"] for about in kept.tests.values())
    _say(
        f"{len(kept.tests)} tests are recorded; {skipped} were skipped, {len(failed)} failed and are not used."
    )
    return kept


# --- which mutants ---


def _chosen(root: Path, options: argparse.Namespace) -> tuple[list[Mutant], list[tuple[Mutant, str]]]:
    """The mutants to run, and the equivalent ones that are left out, with the reason."""
    if options.at:
        file, line = options.at[0].rsplit(":", 1)
        return [given(root, file, int(line), *options.at[1:])], []
    sites = all_sites(root, options.packages)
    mutants = [mutant for site in sites for mutant in site]
    equivalent = equivalents(root / "tools" / "equivalent_mutants.txt", mutants)
    if options.ids:
        return again(options.ids, mutants), []
    sites = [site for site in sites if _is_asked_for(site[0], options.only)]
    _say(f"{len(sites)} sites, {sum(map(len, sites))} mutants; seed {options.seed}.")
    chosen = sample(sites, options.number, options.seed, equivalent)
    return chosen, [(mutant, equivalent[mutant.key]) for mutant in mutants if mutant.key in equivalent]


def all_sites(root: Path, packages: Sequence[str]) -> list[list[Mutant]]:
    """The sites of all files of the packages, in order."""
    files = sorted(str(path.relative_to(root)) for name in packages for path in (root / name).rglob("*.py"))
    return [site for file in files for site in find_sites(root, file)]


def sample(
    sites: Sequence[list[Mutant]], number: int, seed: int, left_out: dict[tuple[str, ...], str]
) -> list[Mutant]:
    """One mutant each of some sites, all with the same chance; one that is left out is replaced by the next one."""
    rng = random.Random(seed)
    shuffled = [rng.choice(site) for site in rng.sample(list(sites), len(sites))]
    return [mutant for mutant in shuffled if mutant.key not in left_out][:number]


def _is_asked_for(mutant: Mutant, only: Sequence[str]) -> bool:
    names = (mutant.file, f"{mutant.file}:{mutant.line}")
    return not only or any(fnmatch.fnmatch(name, pattern) for name in names for pattern in only)


def equivalents(path: Path, mutants: Sequence[Mutant]) -> dict[tuple[str, ...], str]:
    """The listed equivalent mutants, with the reason.

    Blocks of four lines, with an empty line between: file, source line, `before -> after`, reason.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    text = "\n".join(line for line in lines if not line.startswith("#"))
    there = {mutant.key for mutant in mutants}
    found: dict[tuple[str, ...], str] = {}
    for block in filter(None, (block.strip() for block in text.split("\n\n"))):
        file, source, change, *reason = (line.strip() for line in block.splitlines())
        key = (file, source, *change.split(" -> ", 1))
        if key not in there:
            raise SystemExit(f"{path}: there is no such mutant, correct or remove it:\n{block}")
        if not reason:
            raise SystemExit(f"{path}: the reason is missing:\n{block}")
        found[key] = " ".join(reason)
    if len(found) > MOST_EQUIVALENT:
        raise SystemExit(f"{path}: {len(found)} mutants, at most {MOST_EQUIVALENT} may be listed")
    return found


def again(path: Path, mutants: Sequence[Mutant]) -> list[Mutant]:
    """What survived in a former run, found again where its line is now."""
    by_key = {mutant.key: mutant for mutant in mutants}
    former = json.loads(path.read_text())["mutants"]
    keys = [
        (one["file"], one["text"], one["before"], one["after"])
        for one in former
        if one["outcome"] not in KILLED
    ]
    for key in keys:
        if key not in by_key:
            _say(f"{key[0]}: {key[1]!r} is not there any more: {key[2]} -> {key[3]}")
    return [by_key[key] for key in keys if key in by_key]


# --- run ---


def run(root: Path, mutants: Sequence[Mutant], choice: Choice, workers: Sequence[Worker]) -> list[Result]:
    """Run the tests of each mutant; again without the tests that fail, alone, without a mutant as well."""
    results: dict[Mutant, Result] = {}
    waiting = list(mutants)
    while waiting:
        results |= dict(
            zip(
                waiting,
                _shared_out(lambda one, by: _told(root, one, choice, by), waiting, workers),
                strict=True,
            )
        )
        killers = sorted({one.killer for one in results.values()} & choice.map.tests.keys() - choice.sound)
        _say(f"Running the {len(killers)} tests that killed a mutant without one.")
        alone = _shared_out(lambda test, by: by.run([test], choice.seconds([test])), killers, workers)
        broken = {
            test for test, answer in zip(killers, alone, strict=True) if answer["outcome"] != "survived"
        }
        choice.sound |= set(killers) - broken
        choice.leave_out(broken)
        for test in sorted(broken):
            _say(f"Not used, as it fails alone: {test}")
        waiting = [mutant for mutant, one in results.items() if one.killer in broken]
    return [results[mutant] for mutant in mutants]


def _shared_out(
    do: Callable[[Any, Worker], Any], jobs: Sequence[Any], workers: Sequence[Worker]
) -> list[Any]:
    """The results of the jobs, each done by the next free worker."""
    free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        free.put(worker)

    def done(job: Any) -> Any:
        worker = free.get()
        try:
            return do(job, worker)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(done, jobs))


def _told(root: Path, mutant: Mutant, choice: Choice, worker: Worker) -> Result:
    """The result of a mutant, told at once."""
    try:
        result = run_one(root, mutant, choice, worker)
    except Exception as error:  # a worker that has ended, say, must not cost the results of the others
        result = Result(mutant=mutant, outcome="unsure", tests=0, seconds=0.0, killer=repr(error))
    _say(f"{result.outcome}, {result.tests} tests, {result.seconds:.1f} s: {mutant}")
    return result


def run_one(root: Path, mutant: Mutant, choice: Choice, worker: Worker) -> Result:
    """Change the worker's copy, run the mutant's tests, change it back."""
    tests = choice.tests(mutant)
    original = (root / mutant.file).read_bytes()
    changed = worker.tree / mutant.file
    since = time.monotonic()
    outcome, started, failed = "survived" if tests else "no test", 0, ""
    try:
        changed.write_bytes(mutant.applied(original))
        for part, seconds in choice.stages(tests):
            answer = worker.run(part, seconds)
            started += answer["started"]
            outcome = answer["outcome"]
            if outcome != "survived":
                failed = (answer["failed"] or [""])[0]
                break
    finally:
        changed.write_bytes(original)
    return Result(
        mutant=mutant, outcome=outcome, tests=started, seconds=time.monotonic() - since, killer=failed
    )


# --- report ---


def report_of(results: Sequence[Result], left_out: Sequence[tuple[Mutant, str]]) -> str:
    """What people read: each mutant that no test killed, then the numbers."""
    lines = []
    for result in sorted(results, key=lambda one: (one.mutant.file, one.mutant.line, one.mutant.column)):
        if result.outcome not in KILLED:
            told = f"{result.tests} tests ran" + (f"; {result.killer}" if result.killer else "")
            lines += [f"{result.mutant}", f"    {result.mutant.text}", f"    {result.outcome}: {told}"]
    for mutant, reason in left_out:
        lines += [f"{mutant}", f"    equivalent, left out: {reason}"]
    counts = Counter(result.outcome for result in results)
    killed = sum(counts[outcome] for outcome in KILLED)
    share = f"{100 * killed / len(results):.1f} %" if results else "none"
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts))
    for kind in sorted({result.mutant.kind for result in results}):
        of_kind = [result.outcome in KILLED for result in results if result.mutant.kind == kind]
        lines.append(f"{kind}: {sum(of_kind)} of {len(of_kind)}")
    lines.append(f"{len(results)} mutants, {share} killed: {told}")
    return "\n".join(lines)


def _write(path: Path, results: Sequence[Result], options: argparse.Namespace) -> None:
    mutants: list[dict[str, Any]] = []
    for result in results:
        mutant = result.mutant
        mutants.append(
            {
                name: getattr(mutant, name)
                for name in ("file", "line", "column", "kind", "before", "after", "text")
            }
            | {name: getattr(result, name) for name in ("outcome", "tests", "seconds", "killer")}
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"seed": options.seed, "number": options.number, "mutants": mutants}, indent=1)
    )
    _say(f"Written: {path}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
