"""A payment may pay an order of the same merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

_TOGETHER = """
ALTER TABLE payments_payment ADD CONSTRAINT payments_payment_order_id_same_merchant_and_mode
    FOREIGN KEY (order_id, merchant_id, livemode) REFERENCES orders_order (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE payments_payment DROP CONSTRAINT payments_payment_order_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0009_stores"),
        ("orders", "0001_order_sources"),
        ("payments", "0016_stores"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="order",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="orders.order",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("order__isnull", False)), fields=["order", "-id"], name="payment_order"
            ),
        ),
        migrations.RunSQL(_TOGETHER, _APART),
    ]
