"""What `make test-slow` runs: whole crash runs, each in a process of its own with servers of its own."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS_A_ROUND = 60

pytestmark = pytest.mark.slow


def _run(rounds):
    return subprocess.run(
        [sys.executable, "-m", "tests.crash", "--rounds", str(rounds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120 + rounds * SECONDS_A_ROUND,
        check=False,
    )


def _processes_that_log_to(folder):
    """Pids of what has a file in this folder open: every process of a crash run writes its log there."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if entry.readlink().is_relative_to(folder):
                found.add(entry.parts[2])
    return found


def test_both_sides_agree_after_one_round_and_no_process_is_left():
    ended = _run(1)
    assert ended.returncode == 0, ended.stdout[-10_000:] + ended.stderr[-10_000:]
    assert "round 1:" in ended.stdout
    assert not _processes_that_log_to(ROOT / "var" / "crash-logs")


def test_both_sides_agree_after_each_of_twenty_rounds():
    ended = _run(20)
    assert ended.returncode == 0, ended.stdout[-10_000:] + ended.stderr[-10_000:]
    assert ended.stdout.count("round ") >= 20
