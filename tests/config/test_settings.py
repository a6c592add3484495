"""What is missing or malformed stops the start with a message that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DATABASE_URL": "postgresql://a:b@db.example/lango",
    "REDIS_URL": "redis://redis.example/0",
    "SECRET_KEY": "k" * 50,
    "MASTER_KEYS": "a:" + "QUFB" * 10 + "QUE=",
    "PUBLIC_URL": "https://api.example.com/",
}


def start(show="'started'", **environment):
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", f"from config import settings; print({show})"],
        cwd=ROOT,
        env={**plain, **{name: value for name, value in environment.items() if value is not None}},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_deployment_starts_with_what_it_must_give_and_nothing_open():
    shown = "settings.DEBUG, settings.OUTGOING_LOOPBACK_ALLOWED, settings.SIMULATORS_URL, settings.PUBLIC_URL"
    done = start(f"({shown})", **PRODUCTION)
    assert done.stdout.strip() == "(False, False, '', 'https://api.example.com')", done.stderr


def test_what_the_databases_url_says_of_a_connection_counts_and_a_server_that_is_gone_is_noticed():
    shown = "{name: settings.DATABASES['default']['OPTIONS'].get(name) for name in ('sslmode', 'tcp_user_timeout')}"
    done = start(shown, **PRODUCTION)
    assert done.stdout.strip() == "{'sslmode': None, 'tcp_user_timeout': 10000}", done.stderr
    url = PRODUCTION["DATABASE_URL"] + "?sslmode=verify-full&tcp_user_timeout=2000"
    done = start(shown, **{**PRODUCTION, "DATABASE_URL": url})
    assert done.stdout.strip() == "{'sslmode': 'verify-full', 'tcp_user_timeout': 2000}", done.stderr


@pytest.mark.parametrize("missing", sorted(PRODUCTION))
def test_what_is_missing_is_named(missing):
    done = start(**{**PRODUCTION, missing: None})
    assert done.returncode != 0
    assert f"{missing} is not set" in done.stderr.splitlines()[-1]


def test_a_malformed_master_key_is_named_and_not_shown():
    done = start(**{**PRODUCTION, "MASTER_KEYS": "a:c2hvcnQ="})
    assert done.returncode != 0
    assert "'a' has 5 bytes instead of 32" in done.stderr
    assert "c2hvcnQ=" not in done.stderr
