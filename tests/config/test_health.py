"""`/healthz` and `/readyz`; what PostgreSQL being away does is in tests/core/test_middleware.py."""

import time

import pytest

pytestmark = pytest.mark.django_db


def test_this_process_runs(client):
    assert client.get("/healthz").json() == {"ok": True}


def test_it_is_ready_with_both(client):
    assert client.get("/readyz").json() == {"ok": True, "database": True, "redis": True}


@pytest.mark.parametrize("port", ["refused_port", "black_hole"])
def test_it_is_ready_without_redis_and_says_so_soon(client, redis_at, request, port):
    redis_at(f"redis://127.0.0.1:{request.getfixturevalue(port)}/0")
    began = time.monotonic()
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ok": True, "database": True, "redis": False})
    assert time.monotonic() - began < 5
