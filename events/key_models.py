"""Rows of the keys that everything else is sealed under, themselves wrapped by master keys."""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField


class DataKey(models.Model):
    """A data key of one owner, wrapped by a master key: a merchant, or a subject whose erasure destroys it.

    Nothing new is sealed under one that is retired.
    """

    id = PublicIdField(prefix="dek")
    owner = models.CharField(max_length=32)
    livemode = models.BooleanField()
    master_key = models.CharField(max_length=64)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "livemode"],
                name="one_data_key_per_owner_and_mode",
                condition=Q(retired_at__isnull=True),
            )
        ]

    @property
    def context(self) -> str:
        """What the wrapped key is bound to."""
        return f"data-key:{self.pk}:{self.owner}:{self.livemode}"


class InheritedKey(models.Model):
    """A derived key of a master key that was rotated away, wrapped by a later one.

    API keys, path tokens and audit rows carry hashes that cannot be made anew; by this they outlive their master key.
    """

    from_key = models.CharField(max_length=64)
    purpose = models.CharField(max_length=32)
    livemode = models.BooleanField()
    master_key = models.CharField(max_length=64)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["from_key", "purpose", "livemode"], name="one_inherited_key_per_purpose")
        ]

    @property
    def context(self) -> str:
        """What the wrapped key is bound to."""
        return f"inherited-key:{self.from_key}:{self.purpose}:{self.livemode}"
