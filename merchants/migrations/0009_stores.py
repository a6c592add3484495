"""Stores, and the tokens of their screens, each of its store's merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_TOGETHER = """
ALTER TABLE merchants_displaytoken ADD CONSTRAINT merchants_displaytoken_store_id_same_merchant_and_mode
    FOREIGN KEY (store_id, merchant_id, livemode) REFERENCES merchants_store (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE merchants_displaytoken DROP CONSTRAINT merchants_displaytoken_store_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0008_routing"),
    ]

    operations = [
        migrations.CreateModel(
            name="Store",
            fields=[
                ("id", core.fields.PublicIdField(prefix="store", serialize=False)),
                ("livemode", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=100)),
                ("zone", models.CharField(default="UTC", max_length=64)),
                ("default_method", models.CharField(blank=True, default="", max_length=24)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("is_enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stores", to="merchants.merchant"
                    ),
                ),
            ],
            options={
                "permissions": [("change_store", "Can change a store, and switch it off and on")],
                "default_permissions": ("add", "view"),
            },
        ),
        migrations.CreateModel(
            name="DisplayToken",
            fields=[
                ("id", core.fields.PublicIdField(prefix="dtok", serialize=False)),
                ("livemode", models.BooleanField()),
                ("name", models.CharField(max_length=100)),
                ("hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("last_four", models.CharField(editable=False, max_length=4)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="display_tokens", to="merchants.store"
                    ),
                ),
            ],
            options={
                "permissions": [("revoke_display_token", "Can revoke a display token")],
                "default_permissions": ("add", "view"),
            },
        ),
        migrations.AddIndex(
            model_name="store",
            index=models.Index(fields=["merchant", "livemode", "-id"], name="store_list"),
        ),
        migrations.AddConstraint(
            model_name="store",
            constraint=models.UniqueConstraint(
                fields=("id", "merchant", "livemode"), name="store_has_one_merchant_and_mode"
            ),
        ),
        migrations.AddIndex(
            model_name="displaytoken",
            index=models.Index(fields=["store", "-id"], name="display_token_list"),
        ),
        migrations.RunSQL(_TOGETHER, _APART),
    ]
