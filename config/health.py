"""`/healthz`: this process runs. `/readyz`: it can serve.

Redis being away and schedules that have not run in their time are told there, and do not fail it.
"""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from psycopg_pool import PoolTimeout

from config import standing


def alive(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ok": True})


def ready(request: HttpRequest) -> JsonResponse:
    """503 while PostgreSQL is away; payments go on without Redis, only later."""
    database, broker = _database(), _broker()
    told = {"ok": database, "database": database, "redis": broker, "late_schedules": _late() if database else None}
    return JsonResponse(told, status=200 if database else 503)


def _late() -> list[str] | None:
    """None where it cannot be known: that is no reason to send callers elsewhere."""
    try:
        return standing.late()
    except (DatabaseError, PoolTimeout):
        return None


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, PoolTimeout):
        return False
    return True


def _broker() -> bool:
    timeout = settings.REDIS_TIMEOUT
    try:
        return bool(
            redis.Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout).ping()
        )
    except redis.RedisError:
        return False
