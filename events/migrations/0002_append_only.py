"""Audit entries and transitions are inserted and never changed: the database says so."""

from django.db import migrations

_FORBID = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON events_auditentry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transitions_are_append_only BEFORE UPDATE OR DELETE ON events_transition
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

_ALLOW = """
DROP TRIGGER audit_is_append_only ON events_auditentry;
DROP TRIGGER transitions_are_append_only ON events_transition;
DROP FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [migrations.RunSQL(_FORBID, _ALLOW)]
