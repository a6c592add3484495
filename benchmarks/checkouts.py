"""Other commits, checked out beside this one for as long as a comparison takes."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import HERE, Broken


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A folder with that revision's files, gone when the block ends. The virtualenv stays the present one."""
    with tempfile.TemporaryDirectory(prefix="lango-base-") as folder:
        path = Path(folder) / "lango"
        _git("worktree", "add", "--detach", str(path), revision)
        try:
            if not (path / "benchmarks" / "inside.py").exists():
                raise Broken(f"{revision} has no benchmarks/inside.py yet, so it cannot be measured.")
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"git {words[0]} {words[1]}: {done.stderr.strip()}")
