"""The history of one store is read by an index, of payments and of refunds, which name their payment's store."""

import django.db.models.deletion
from django.db import migrations, models

_FILL = """
UPDATE payments_refund SET store_id = payment.store_id FROM payments_payment payment
WHERE payment.id = payments_refund.payment_id AND payment.store_id IS NOT NULL
"""
_TOGETHER = """
ALTER TABLE payments_refund ADD CONSTRAINT payments_refund_store_id_same_merchant_and_mode
    FOREIGN KEY (store_id, merchant_id, livemode) REFERENCES merchants_store (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE payments_refund DROP CONSTRAINT payments_refund_store_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0010_routes_of_stores"),
        ("payments", "0017_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="merchants.store",
            ),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.RunSQL(_TOGETHER, _APART),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("store__isnull", False)),
                fields=["store", "-created_at", "-id"],
                name="payment_store_history",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("store__isnull", False)),
                fields=["store", "-created_at", "-id"],
                name="refund_store_history",
            ),
        ),
    ]
