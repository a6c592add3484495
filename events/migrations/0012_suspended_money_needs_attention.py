from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0011_keys_of_callbacks_are_found"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attention",
            name="reason",
            field=models.CharField(
                choices=[
                    ("unknown", "outcome unknown at the end of its schedule"),
                    ("parked", "a word that contradicts or is not known"),
                    ("unmatched", "a callback that fits no operation"),
                    ("underpaid", "less money than was asked"),
                    ("overpaid", "more money than was asked"),
                    ("quarantined", "a callback from a wrong address or with a wrong signature"),
                    ("failing", "work that fails again and again"),
                    ("overdrawn", "an account below zero by what has happened"),
                    ("suspended", "money in another currency than was asked"),
                    ("unread", "an event that a reader of the outbox cannot read"),
                ],
                max_length=16,
            ),
        ),
    ]
