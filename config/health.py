"""`/healthz`: this process runs. `/readyz`: it can serve. Redis being away is told, and does not fail it."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from psycopg_pool import PoolTimeout


def alive(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ok": True})


def ready(request: HttpRequest) -> JsonResponse:
    """503 while PostgreSQL is away; payments go on without Redis, only later."""
    database, broker = _database(), _broker()
    return JsonResponse({"ok": database, "database": database, "redis": broker}, status=200 if database else 503)


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
