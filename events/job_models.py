"""What is known of each schedule: when it ran last, how it went, and who is at it now."""

from django.db import models

from core import clock
from core.fields import PublicIdField


class Job(models.Model):
    """A schedule as it runs. What it does is declared in code, when it runs is kept where staff may change it.

    `timing` is what the code declared when it was last looked at. `claim` is who runs it now, until `claimed_until`;
    `ticked_at` the last of its moments that was taken, and `asked_at` when `asked_by` wanted it besides, until that is
    begun. `failures` counts those in a row, `problem` is the last one's kind and place, and `milliseconds` what the
    last run took.

    Some rows change twice in five seconds. No column that changes has an index, and pages are left four fifths empty,
    so that PostgreSQL writes each change beside the last one and clears up by itself.
    """

    id = PublicIdField(prefix="job")
    name = models.CharField(max_length=100, editable=False)
    timing = models.CharField(max_length=100, editable=False)
    claim = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    ticked_at = models.DateTimeField(null=True, editable=False)
    asked_at = models.DateTimeField(null=True, editable=False)
    asked_by = models.CharField(max_length=64, blank=True, default="", editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    succeeded_at = models.DateTimeField(null=True, editable=False)
    milliseconds = models.PositiveBigIntegerField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    problem = models.CharField(max_length=300, blank=True, default="", editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = "schedule"
        constraints = [
            models.UniqueConstraint(fields=["name"], name="one_job_per_name"),
            models.CheckConstraint(
                condition=models.Q(claim__isnull=True, claimed_until__isnull=True)
                | models.Q(claim__isnull=False, claimed_until__isnull=False),
                name="a_claimed_job_says_until_when",
            ),
        ]
        default_permissions = ("view",)
        permissions = [("run_job", "Can run a schedule now")]

    def __str__(self) -> str:
        return self.name
