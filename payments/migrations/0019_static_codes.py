"""Codes that stand on a counter, and the money that comes on them, of one merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_PAIRS = [
    ("static_code_store", "payments_staticcode", "store_id", "merchants_store"),
    ("static_code_account", "payments_staticcode", "account_id", "merchants_provideraccount"),
    ("unallocated_store", "payments_unallocatedreceipt", "store_id", "merchants_store"),
    ("unallocated_static_code", "payments_unallocatedreceipt", "static_code_id", "payments_staticcode"),
]


def _together(name: str, table: str, column: str, parent: str) -> str:
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name}_same_merchant_and_mode "
        f"FOREIGN KEY ({column}, merchant_id, livemode) REFERENCES {parent} (id, merchant_id, livemode)"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0010_routes_of_stores"),
        ("payments", "0018_stores_in_the_history"),
    ]

    operations = [
        migrations.AddField(
            model_name="unallocatedreceipt",
            name="store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="merchants.store",
            ),
        ),
        migrations.CreateModel(
            name="StaticCode",
            fields=[
                ("lane", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("claim", models.UUIDField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("id", core.fields.PublicIdField(prefix="scode", serialize=False)),
                ("livemode", models.BooleanField()),
                ("reference", models.CharField(blank=True, default="", max_length=100)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("sending", "is being asked for"),
                            ("active", "can be paid"),
                            ("refused", "the provider has refused it"),
                            ("unknown", "the answer was lost, or was no such code"),
                        ],
                        default="sending",
                        max_length=8,
                    ),
                ),
                ("provider_reference", models.CharField(max_length=64)),
                ("provider_id", models.CharField(blank=True, default="", max_length=100)),
                ("provider_code", models.CharField(blank=True, default="", max_length=100)),
                ("message", models.CharField(blank=True, default="", max_length=300)),
                ("text", models.CharField(blank=True, default="", max_length=1000)),
                ("expires_at", models.DateTimeField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.provideraccount"
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="static_codes",
                        to="merchants.store",
                    ),
                ),
            ],
            options={
                "permissions": [("ask_about_static_code", "Can ask what was paid on a static code")],
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="unallocatedreceipt",
            name="static_code",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="unallocated_receipts",
                to="payments.staticcode",
            ),
        ),
        migrations.AddIndex(
            model_name="unallocatedreceipt",
            index=models.Index(
                condition=models.Q(("store__isnull", False)), fields=["store", "-id"], name="unallocated_store"
            ),
        ),
        migrations.AddIndex(
            model_name="unallocatedreceipt",
            index=models.Index(
                condition=models.Q(("static_code__isnull", False)),
                fields=["static_code", "-id"],
                name="unallocated_static_code",
            ),
        ),
        migrations.AddIndex(
            model_name="staticcode",
            index=models.Index(fields=["store", "-id"], name="static_code_list"),
        ),
        migrations.AddIndex(
            model_name="staticcode",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["lane", "due_at"], name="static_code_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="staticcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("outcome", "active"),
                        models.Q(("text", ""), _negated=True),
                        models.Q(("provider_id", ""), _negated=True),
                    ),
                    models.Q(("outcome__in", ["sending", "refused", "unknown"]), ("text", "")),
                    _connector="OR",
                ),
                name="an_active_code_can_be_drawn",
            ),
        ),
        migrations.AddConstraint(
            model_name="staticcode",
            constraint=models.UniqueConstraint(fields=("account", "provider_reference"), name="one_code_per_reference"),
        ),
        migrations.AddConstraint(
            model_name="staticcode",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=("account", "provider_id"),
                name="one_code_per_provider_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="staticcode",
            constraint=models.UniqueConstraint(
                fields=("id", "merchant", "livemode"), name="code_has_one_merchant_and_mode"
            ),
        ),
        *(
            migrations.RunSQL(
                _together(name, table, column, parent),
                f"ALTER TABLE {table} DROP CONSTRAINT {name}_same_merchant_and_mode",
            )
            for name, table, column, parent in _PAIRS
        ),
    ]
