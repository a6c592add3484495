"""The books' own rules, held by the database: transfers balance, and nothing in them changes."""

from django.db import migrations

_FORWARDS = """
CREATE FUNCTION ledger_require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked text;
    held record;
    sums record;
BEGIN
    IF TG_TABLE_NAME = 'ledger_transfer' THEN
        checked := NEW.id;
    ELSE
        checked := NEW.transfer_id;
    END IF;
    SELECT transfer.phase, transfer.livemode, resolved.phase AS resolves
        INTO held
        FROM ledger_transfer transfer LEFT JOIN ledger_transfer resolved ON resolved.id = transfer.resolves_id
        WHERE transfer.id = checked;
    SELECT coalesce(sum(entries), 0) AS entries, count(*) AS currencies,
            bool_or(total <> 0) AS unbalanced, bool_and(positioned) AS positioned, bool_or(strange) AS strange
        INTO sums
        FROM (
            SELECT count(*) AS entries, sum(entry.amount) AS total, bool_or(account.kind = 'position') AS positioned,
                bool_or(account.livemode <> held.livemode) AS strange
            FROM ledger_entry entry CROSS JOIN LATERAL (
                -- One account at a time: joined freely, PostgreSQL reads all of them while it has no statistics.
                SELECT kind, currency, livemode FROM ledger_account WHERE id = entry.account_id LIMIT 1
            ) account
            WHERE entry.transfer_id = checked
            GROUP BY account.currency
        ) per_currency;
    IF held.resolves IS NOT NULL AND held.resolves <> 'pending' THEN
        RAISE EXCEPTION 'transfer % ends one that is not pending', checked USING ERRCODE = 'check_violation';
    ELSIF held.phase = 'voided' AND sums.entries <> 0 THEN
        RAISE EXCEPTION 'transfer % is a void and has entries', checked USING ERRCODE = 'check_violation';
    ELSIF held.phase <> 'voided' AND sums.entries < 2 THEN
        RAISE EXCEPTION 'transfer % has fewer than two entries', checked USING ERRCODE = 'check_violation';
    ELSIF sums.unbalanced THEN
        RAISE EXCEPTION 'transfer % does not sum to zero in each currency', checked USING ERRCODE = 'check_violation';
    ELSIF sums.currencies > 1 AND NOT sums.positioned THEN
        RAISE EXCEPTION 'transfer % exchanges currencies without a position account of each', checked
            USING ERRCODE = 'check_violation';
    ELSIF sums.strange THEN
        RAISE EXCEPTION 'transfer % mixes test and live accounts', checked USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER transfer_balances AFTER INSERT ON ledger_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_require_balance();
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_require_balance();
CREATE TRIGGER transfers_are_append_only BEFORE UPDATE OR DELETE ON ledger_transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

_BACKWARDS = """
DROP TRIGGER entries_are_append_only ON ledger_entry;
DROP TRIGGER transfers_are_append_only ON ledger_transfer;
DROP TRIGGER entry_balances ON ledger_entry;
DROP TRIGGER transfer_balances ON ledger_transfer;
DROP FUNCTION ledger_require_balance();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("events", "0002_append_only")]

    operations = [migrations.RunSQL(_FORWARDS, _BACKWARDS)]
