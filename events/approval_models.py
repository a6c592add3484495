"""Rows of what one person has asked for and another has to allow."""

from django.db import models
from django.db.models import F, Q

from core import clock
from core.fields import PublicIdField


class Approval(models.Model):
    """An action on one object, bound by `digest` to the object as it was when it was asked for."""

    class Decision(models.TextChoices):
        OPEN = "open"
        ALLOWED = "allowed"
        DECLINED = "declined"
        VOID = "void", "void: the object has changed"

    id = PublicIdField(prefix="appr")
    merchant = models.CharField(max_length=32, blank=True, default="")
    livemode = models.BooleanField(default=False)
    subject = models.CharField(max_length=32)
    action = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    asked_by = models.CharField(max_length=64)
    asked_because = models.CharField(max_length=300)
    asked_at = models.DateTimeField(default=clock.now)
    decision = models.CharField(max_length=8, choices=Decision.choices, default=Decision.OPEN)
    decided_by = models.CharField(max_length=64, blank=True, default="")
    decided_because = models.CharField(max_length=300, blank=True, default="")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "action"], name="one_open_approval", condition=Q(decision="open")
            ),
            models.CheckConstraint(
                condition=~Q(decision="allowed") | ~Q(decided_by=F("asked_by")), name="nobody_allows_what_they_asked"
            ),
            models.CheckConstraint(
                condition=Q(decision="open", decided_by="", decided_at__isnull=True)
                | ~Q(decision="open") & ~Q(decided_by="") & Q(decided_at__isnull=False),
                name="a_decided_approval_says_by_whom",
            ),
        ]
        indexes = [models.Index(fields=["decision", "-id"], name="approvals_open")]
        default_permissions = ("view",)
        permissions = [("decide_approval", "Can allow or decline what somebody else has asked for")]

    def __str__(self) -> str:
        return str(self.pk)
