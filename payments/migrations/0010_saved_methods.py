"""Saved methods: of one merchant and mode, as the database keeps them (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_TOGETHER = [
    ("payments_providercustomer", "account_id, livemode", "merchants_provideraccount (id, livemode)"),
    (
        "payments_providercustomer",
        "customer_id, merchant_id, livemode",
        "merchants_customer (id, merchant_id, livemode)",
    ),
    ("payments_savedmethod", "account_id, livemode", "merchants_provideraccount (id, livemode)"),
    ("payments_savedmethod", "holder_id, livemode", "payments_providercustomer (id, livemode)"),
    ("payments_savedmethod", "customer_id, merchant_id, livemode", "merchants_customer (id, merchant_id, livemode)"),
    ("payments_payment", "saved_method_id, merchant_id, livemode", "payments_savedmethod (id, merchant_id, livemode)"),
]


def _name(table: str, columns: str) -> str:
    return f"{table}_{columns.partition(',')[0]}_same_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0008_routing"),
        ("payments", "0009_operation_confirm"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderCustomer",
            fields=[
                ("id", core.fields.PublicIdField(prefix="pcus", serialize=False)),
                ("livemode", models.BooleanField()),
                ("provider_id", models.CharField(blank=True, default="", max_length=100)),
                ("key", models.CharField(max_length=64)),
                ("request", core.fields.SealedField(null=True)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
            ],
        ),
        migrations.CreateModel(
            name="SavedMethod",
            fields=[
                ("lane", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("claim", models.UUIDField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("livemode", models.BooleanField()),
                ("sequence", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("state_changed_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("id", core.fields.PublicIdField(prefix="sm", serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("created", "created"),
                            ("processing", "processing"),
                            ("requires_action", "requires action"),
                            ("active", "active"),
                            ("expired", "expired"),
                            ("failed", "failed"),
                            ("detached", "detached"),
                        ],
                        default="created",
                        editable=False,
                        max_length=24,
                    ),
                ),
                ("method", models.CharField(max_length=24)),
                ("is_default", models.BooleanField(default=False)),
                ("becomes_default", models.BooleanField(default=False)),
                ("return_url", models.CharField(blank=True, default="", max_length=500)),
                ("metadata", models.JSONField(default=dict)),
                ("reference", models.CharField(max_length=64)),
                ("instrument", core.fields.SealedField(null=True)),
                ("setup_key", models.CharField(max_length=64)),
                ("setup_id", models.CharField(blank=True, default="", max_length=100)),
                ("request", core.fields.SealedField(null=True)),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("asked", models.PositiveSmallIntegerField(default=0)),
                ("setup_ends_at", models.DateTimeField()),
                ("closing_key", models.CharField(max_length=64)),
                ("closing_since", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("provider_id", models.CharField(blank=True, default="", max_length=100)),
                ("provider_status", models.CharField(blank=True, default="", max_length=100)),
                ("brand", models.CharField(blank=True, default="", max_length=32)),
                ("last4", models.CharField(blank=True, default="", max_length=4)),
                ("exp_month", models.PositiveSmallIntegerField(null=True)),
                ("exp_year", models.PositiveSmallIntegerField(null=True)),
                ("ends_at", models.DateTimeField(null=True)),
                ("noticed_end", models.DateTimeField(null=True)),
                ("fingerprint", models.CharField(blank=True, default="", max_length=64)),
                ("next_action", models.JSONField(null=True)),
                ("failure_code", models.CharField(blank=True, default="", max_length=32)),
                ("failure_message", models.CharField(blank=True, default="", max_length=300)),
                ("by", models.CharField(max_length=64)),
            ],
            options={
                "permissions": [("act_on_saved_method", "Can ask about a saved method, and give one up")],
            },
        ),
        migrations.AddField(
            model_name="attempt",
            name="failure_is_final",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="payment",
            name="failure_is_final",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="payment",
            name="link_hash",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="off_session",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "confirm"), ("state__in", ["created", "sending", "unknown"])),
                fields=("attempt",),
                name="one_open_confirm",
            ),
        ),
        migrations.AddField(
            model_name="providercustomer",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.provideraccount"
            ),
        ),
        migrations.AddField(
            model_name="providercustomer",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="provider_customers", to="merchants.customer"
            ),
        ),
        migrations.AddField(
            model_name="providercustomer",
            name="merchant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
            ),
        ),
        migrations.AddField(
            model_name="savedmethod",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.provideraccount"
            ),
        ),
        migrations.AddField(
            model_name="savedmethod",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="saved_methods",
                to="merchants.customer",
            ),
        ),
        migrations.AddField(
            model_name="savedmethod",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="saved_methods",
                to="payments.providercustomer",
            ),
        ),
        migrations.AddField(
            model_name="savedmethod",
            name="merchant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="saved_method",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="payments.savedmethod",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("saved_method__isnull", False)),
                fields=["saved_method", "-id"],
                name="payment_saved_method",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("link_hash__isnull", False)), fields=("link_hash",), name="one_payment_per_link"
            ),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.UniqueConstraint(
                fields=("account", "customer"), name="one_customer_at_a_provider_account"
            ),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.UniqueConstraint(fields=("id", "livemode"), name="provider_customer_has_one_mode"),
        ),
        migrations.AddIndex(
            model_name="savedmethod",
            index=models.Index(fields=["merchant", "livemode", "-id"], name="saved_method_list"),
        ),
        migrations.AddIndex(
            model_name="savedmethod",
            index=models.Index(fields=["customer", "-id"], name="saved_method_customer"),
        ),
        migrations.AddIndex(
            model_name="savedmethod",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["lane", "due_at"], name="saved_method_due"
            ),
        ),
        migrations.AddIndex(
            model_name="savedmethod",
            index=models.Index(condition=models.Q(("state", "active")), fields=["ends_at"], name="saved_method_ends"),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["created", "processing", "requires_action", "active", "expired", "failed", "detached"],
                    )
                ),
                name="saved_method_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=("account", "provider_id"),
                name="one_saved_method_per_provider_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("customer",), name="one_default_saved_method"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_default", False), ("state", "active"), ("state", "expired"), _connector="OR"),
                name="a_default_method_is_kept",
            ),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.UniqueConstraint(fields=("id", "livemode"), name="saved_method_has_one_mode"),
        ),
        migrations.AddConstraint(
            model_name="savedmethod",
            constraint=models.UniqueConstraint(
                fields=("id", "merchant", "livemode"), name="saved_method_has_one_merchant_and_mode"
            ),
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} ADD CONSTRAINT {_name(table, columns)} FOREIGN KEY ({columns}) REFERENCES {parent}",
                f"ALTER TABLE {table} DROP CONSTRAINT {_name(table, columns)}",
            )
            for table, columns, parent in _TOGETHER
        ),
    ]
