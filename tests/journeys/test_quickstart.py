"""Every block of docs/quickstart.md, run as it is written, against our server and the companies' simulators."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

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


def node_of_the_page():
    node = program("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < 18:
        pytest.skip(f"Node.js is {version.strip()}: the page asks for 18")
    return node


@pytest.mark.slow
def test_javascript(run, shop):
    node = node_of_the_page()
    said = run("javascript", node, suffix=".mjs").splitlines()

    assert said[:3] == [line.replace("True", "true") for line in SAID]
    assert said[3].startswith("invalid_request [ '/amount' ] see http")
    assert said[4:] == ["failed insufficient_funds"]
    assert taken(shop) == ([*ONCE, ("card", "failed")], [("card", 500)])


@pytest.mark.slow
def test_the_verification_in_javascript_takes_a_librarys_signature_and_nothing_else(tmp_path):
    node, secret, body = node_of_the_page(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"id": "evt_1", "word": "é"}'
    now = datetime.now(UTC)
    right = delivery(secret, body, now)
    two = right | {"webhook-signature": f"v1,AAAA {right['webhook-signature']}"}
    cases = {
        "right": (body, right),
        "one of two": (body, two),
        "another body": (body.replace("evt_1", "evt_2"), right),
        "another id": (body, right | {"webhook-id": "evt_2"}),
        "old": (body, delivery(secret, body, now - timedelta(hours=1))),
        "another secret": (body, delivery("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", body, now)),
        "no signature": (body, right | {"webhook-signature": ""}),
        "no number": (body, right | {"webhook-timestamp": "soon"}),
    }
    verify = re.search(r"^function verify\(.*?^}$", PAGE, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "verify.mjs").write_text(
        'import { createHmac, timingSafeEqual } from "node:crypto";\n'
        f"{verify}\nconst taken = [];\n"
        f"for (const [name, [body, headers]] of Object.entries({json.dumps(cases)})) {{\n"
        f'  try {{ if (verify(Buffer.from(body), headers, "{secret}").id) taken.push(name); }} catch {{}}\n'
        "}\nconsole.log(JSON.stringify(taken));\n"
    )

    said = subprocess.run([node, str(tmp_path / "verify.mjs")], capture_output=True, text=True, check=True).stdout

    assert json.loads(said) == ["right", "one of two"]


def delivery(secret, body, at):
    """The headers of a delivery, signed by the published library."""
    signature = Webhook(secret).sign("evt_1", at, body)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
