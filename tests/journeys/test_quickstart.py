"""Every block of docs/quickstart.md, run as it is written, against our server and the companies' simulators."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from payments.models import Payment, Refund

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "quickstart.md").read_text()
SECONDS = 120


@pytest.fixture
def run(world, shop, tmp_path):
    """Run all blocks of one language as one program, with our worker at work; gives what it said."""

    def run(language, *command, suffix):
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        program = tmp_path / f"quickstart{suffix}"
        program.write_text("\n".join(blocks))
        inherited = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        environment = inherited | {"LANGO": world.base_url, "KEY": shop.key}
        with (tmp_path / "said").open("w+") as said:
            process = subprocess.Popen(
                [*command, str(program)], cwd=tmp_path, env=environment, stdout=said, stderr=said
            )
            try:
                world.work_until(lambda: process.poll() is not None, seconds=SECONDS)
            finally:
                process.kill()
                process.wait()
        told = (tmp_path / "said").read_text()
        assert process.returncode == 0, told
        return told

    return run


def program(name):
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def taken(shop):
    """(method, state, reference is set) of every payment, the first one first, and what was refunded."""
    payments = [(row.method, row.state) for row in Payment.objects.order_by("pk")]
    return payments, [(row.payment.method, row.amount) for row in Refund.objects.select_related("payment")]


ONCE = [("card", "succeeded"), ("mpesa", "succeeded")]
SAID = ["payment.succeeded and charged once: True", "payment.succeeded 25000 succeeded", "500 refunded"]


def test_curl(run, shop):
    program("curl")
    said = run("bash", program("bash"), "-eu", suffix=".sh")

    assert taken(shop) == (ONCE, [("card", 500)])
    assert said.count("HTTP/1.1 201") == 2
    assert said.count("Idempotency-Replayed: true") == 1
    assert '"code":"invalid_request"' in said


def test_python(run, shop):
    said = run("python", sys.executable, "-W", "error", suffix=".py").splitlines()

    assert said[:3] == SAID
    assert said[3].startswith("invalid_request ['/amount'] see http")
    assert said[4:] == ["failed insufficient_funds"]
    assert taken(shop) == ([*ONCE, ("card", "failed")], [("card", 500)])


@pytest.mark.slow
def test_javascript(run, shop):
    node = program("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < 18:
        pytest.skip(f"Node.js is {version.strip()}: the page asks for 18")
    said = run("javascript", node, suffix=".mjs").splitlines()

    assert said[:3] == [line.replace("True", "true") for line in SAID]
    assert said[3].startswith("invalid_request [ '/amount' ] see http")
    assert said[4:] == ["failed insufficient_funds"]
    assert taken(shop) == ([*ONCE, ("card", "failed")], [("card", 500)])
