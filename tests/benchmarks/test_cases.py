"""That each case of `make bench` still runs and counts right; its numbers mean nothing at this length."""

import json
import subprocess
import sys

import pytest

from benchmarks import results
from benchmarks.processes import HERE, cpu_seconds, family
from benchmarks.results import Row

ROWS = {
    "create": ["create", "create_cpu"],
    "steady": ["steady", "steady_p99"],
    "deliver": ["deliver"],
    "deliver_healthy": ["deliver_healthy"],
    "ledger": ["ledger_hot", "ledger_hot_history", "ledger_spread", "ledger_spread_history"],
    "reconcile": ["reconcile", "reconcile_growth", "reconcile_memory"],
    "list": ["list"],
    "auth": ["auth"],
    "failover": ["failover", "failover_hang", "failover_return"],
    "broadcast": ["broadcast", "broadcast_stream"],
    "displays": ["displays", "displays_memory"],
}
SHAPE = ["name", "value", "unit", "yardstick", "ratio", "better", "aim", "met"]


def _bench(case, tmp_path, *words):
    command = [sys.executable, "-m", "benchmarks", "--only", case, "--results", str(tmp_path / "results.json"), *words]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("case", ROWS)
def test_a_case_runs_counts_right_and_writes_its_rows(case, tmp_path):
    done = _bench(case, tmp_path, "--seconds", "1", "--offered", "20", "--history", "2000")

    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in written] == ROWS[case]
    assert all(list(row) == SHAPE and row["value"] >= 0 for row in written)


def test_an_aim_is_one_of_the_ratio_where_there_is_a_yardstick():
    assert Row(name="a", value=40.0, unit="x", yardstick=100.0, better="higher", aim=0.35).met
    assert not Row(name="a", value=30.0, unit="x", yardstick=100.0, better="higher", aim=0.35).met


def test_an_aim_is_one_of_the_value_where_there_is_no_yardstick():
    assert Row(name="a", value=2.9, unit="ms", better="lower", aim=3.0).met
    assert not Row(name="a", value=3.1, unit="ms", better="lower", aim=3.0).met


def test_one_case_alone_leaves_the_rows_of_the_others(tmp_path):
    path = tmp_path / "results.json"
    results.write([Row(name="a", value=1.0, unit="x", better="lower", aim=3.0)], path)
    results.write([Row(name="b", value=2.0, unit="x", better="lower", aim=3.0)], path)
    results.write([Row(name="b", value=5.0, unit="x", better="lower", aim=3.0)], path)

    assert [(row["name"], row["value"], row["met"]) for row in json.loads(path.read_text())] == [
        ("a", 1.0, True),
        ("b", 5.0, False),
    ]


def test_cpu_time_counts_children_that_have_ended():
    burn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(20_000_000))']); input('ended')"
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.read(len("ended"))
        members, used = family(process.pid), cpu_seconds(process.pid)
        process.communicate("\n")

    assert members == [process.pid]
    assert used > 0.2
