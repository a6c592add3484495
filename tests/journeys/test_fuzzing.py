"""Schemathesis over the whole document, against our server with the companies' simulators behind it.

The document that it reads is ours with ids of things that exist in its examples. Whatever has an id in the URL map is
taught to `theirs` once, for all tests that go through the map.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from config.documenting.samples import SAMPLE
from events.models import AuditEntry
from tests.payments.test_isolation import theirs

__all__ = ["theirs"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SECONDS = 600


@pytest.fixture
def ids(world, other_shop, theirs):
    """One of everything, by its parameter's name; the account is one that payments can do without."""
    credentials = {"secret_key": "sk_test_spare", "webhook_secrets": ["whsec_spare"]}
    return theirs | {"account_id": other_shop.account("stripe", credentials, priority=32_000).pk}


@pytest.fixture
def fuzz(world, ids, settings, tmp_path):
    """`fuzz(option, …)` runs Schemathesis to its end; the test fails with what it found."""
    settings.RATE_LIMIT_PER_KEY = settings.RATE_LIMIT_PER_ADDRESS = "1000000/minute"
    document = world.shops[-1].api.send("GET", "/v1/openapi.json").text
    for public_id in ids.values():
        document = document.replace(f"{public_id.partition('_')[0]}_{SAMPLE}", public_id)
    (tmp_path / "openapi.json").write_text(document)
    bound = [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.9 }}' for name in ids]
    lists = [
        line for name, value in ids.items() for line in (f"[dictionaries.{name}]", f"values = {json.dumps([value])}")
    ]
    (tmp_path / "schemathesis.toml").write_text("\n".join([*lists, "[parameters]", *bound]))
    inherited = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = inherited | {"SCHEMATHESIS_HOOKS": "tests.journeys.fuzzing_hooks", "PYTHONPATH": str(ROOT)}

    def fuzz(*options):
        command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.json", "--url", world.base_url]
        command += ["--checks", ",".join(CHECKS), "--seed", "20261121", "--generation-database", "none", "--no-color"]
        command += ["--continue-on-failure", "--warnings", "off", "--workers", "2", *options]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]

    return fuzz


def test_whatever_a_key_sends_is_answered_as_documented(fuzz, other_shop):
    client = other_shop.key_with()

    fuzz(
        *(
            "--header",
            f"Authorization: Bearer {client.key}",
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "10",
        )
    )

    answered = AuditEntry.objects.filter(action="api.answered", merchant=other_shop.merchant.pk)
    statuses = Counter(row.status for row in answered.only("status"))
    assert statuses[500] == 0
    took = {(row.method, row.route) for row in answered.filter(status__lt=300)}
    paths = client.get("openapi.json")["paths"]
    asked = {(method.upper(), path) for path, methods in paths.items() for method in methods if method != "parameters"}
    assert len(took & asked) > 0.8 * len(asked), f"never carried out: {sorted(asked - took)}"


def test_whatever_nobody_sends_is_refused_as_documented(fuzz, other_shop):
    before = AuditEntry.objects.filter(action="api.answered").count()

    fuzz("--phases", "examples,fuzzing", "--max-examples", "3")

    assert AuditEntry.objects.filter(action="api.answered").count() == before
