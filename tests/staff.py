"""Staff at the admin, for tests: who signs in, where a page is, and what is written down about them."""

from typing import Any

from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.models import AuditEntry


def signed_in(*permissions: str, superuser: bool = False, username: str = "amina") -> Client:
    """A client of somebody on the staff who may do just that: `payments.view_payment` …"""
    user = User.objects.create(username=username, is_staff=True, is_superuser=superuser)
    for permission in permissions:
        label, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def page(row: Any, action: str = "change") -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{action}", args=[quote(row.pk)])


def listing(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def adding(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


def queries(client: Client, path: str) -> int:
    """How many a page takes."""
    with CaptureQueriesContext(connection) as taken:
        assert client.get(path).status_code == 200
    return len(taken)


def recorded(row: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """What the audit log says that staff did to a row: who, what, and with which words."""
    entries = AuditEntry.objects.filter(object_id=row.pk, actor__startswith="staff:").order_by("pk")
    return [(entry.actor, entry.action, entry.detail) for entry in entries]
