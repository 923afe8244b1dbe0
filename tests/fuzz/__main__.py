"""Feeds a target with inputs that atheris derives from the code that they reach: ``python -m tests.fuzz TARGET --runs 1000000``.

With files, each of them is given to the target once, without atheris: that is how a failure is reproduced.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz.targets import TARGETS, Target, load

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "target", choices=["all", *TARGETS, "broken"], metavar="TARGET", help=f"one of {', '.join(TARGETS)}, or all"
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="inputs to reproduce a failure with")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="0 for another one each time (default: %(default)s)")
    parser.add_argument("--max-len", type=int, default=1024, help="bytes of the longest input (default: %(default)s)")
    parser.add_argument(
        "--corpus", type=Path, help="a folder to keep interesting inputs in, one folder below it for each target"
    )
    parser.add_argument("--artifacts", type=Path, default=Path(), help="the folder for inputs that fail (default: this one)")
    options = parser.parse_args(arguments)
    names = TARGETS if options.target == "all" else (options.target,)
    if options.files:
        for target in map(load, names):
            for file in options.files:
                target.run(file.read_bytes())
        return 0
    try:
        import atheris  # noqa: PLC0415  # it exists for Linux only, and reproducing a failure does not need it
    except ImportError:
        print("atheris is not installed: it exists for Linux on x86-64. Run pytest tests/fuzz instead.", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["signalr_client"]):
        targets = [load(name) for name in names]
    failed = [target.name for target in targets if not fuzz_in_a_child(atheris, target, options)]
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def fuzz_in_a_child(atheris: Any, target: Target, options: argparse.Namespace) -> bool:
    """Fuzz one target in a process of its own, because libFuzzer ends the process; return whether nothing was found."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder, "corpus"), Path(folder, "words")
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(bytes(target.control) + seed)
        words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.words))
        began = time.monotonic()
        child = os.fork()
        if not child:
            flags = [
                f"-runs={options.runs}",
                f"-seed={options.seed}",
                f"-max_len={options.max_len}",
                f"-dict={words}",
                f"-artifact_prefix={options.artifacts}/{target.name}-",
                "-timeout=60",
                "-rss_limit_mb=4096",
                "-verbosity=0",
                "-print_final_stats=1",
            ]
            atheris.Setup([sys.argv[0], *_folders(corpus, target, options), *flags], target.run)
            atheris.Fuzz()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        verdict = "ok" if status == 0 else f"FAILED with status {status}"
        print(f"{target.name}: {verdict}, {options.runs} runs in {time.monotonic() - began:.1f} s", flush=True)
    return status == 0


def _folders(seeds: Path, target: Target, options: argparse.Namespace) -> list[str]:
    """Return the folders of inputs to start from; new ones are written to the first."""
    if options.corpus is None:
        return [str(seeds)]
    kept = options.corpus / target.name
    kept.mkdir(parents=True, exist_ok=True)
    return [str(kept), str(seeds)]


def _quoted(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
