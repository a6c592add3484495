"""The same world as the tests of payments, and the web server that production runs."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from config.demonstration import opening
from tests.payments.conftest import caller, certificate, companies, other_shop, server, shop, world
from tests.payments.world import free_neighbours, session, until

__all__ = ["caller", "certificate", "companies", "other_shop", "server", "shop", "world"]


@pytest.fixture
def web(world, settings, tmp_path):
    """The web server with its processes and threads as the demo starts it, on this test's database."""
    port, database = free_neighbours(), connection.settings_dict
    address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{address}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SIMULATORS_URL": settings.SIMULATORS_URL,
        "SIMULATORS_PORT": str(settings.SIMULATORS_PORT),
    }
    sizes = ("--workers", str(opening.WEB_PROCESSES), "--blocking-threads", str(opening.WEB_THREADS))
    place = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port))
    patience = ("--workers-kill-timeout", "5", "--log-level", "warning")
    command = [sys.executable, "-m", "granian", *place, *sizes, *patience, "config.wsgi:application"]
    with open(tmp_path / "web.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    http = session()
    url = f"http://127.0.0.1:{port}"
    until(lambda: _answers(http, f"{url}/readyz"), seconds=30)
    yield url
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()


def _answers(http, url):
    try:
        return http.get(url, timeout=2).status_code == 200
    except OSError:
        return False
