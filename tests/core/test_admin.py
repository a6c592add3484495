"""The parts of the staff's pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission

from core.admin import CappedPaginator, ReadOnlyAdmin
from core.admin_columns import Moment, badge, link, money_column, timeline, tones
from events.models import Attention
from payments import states
from payments.models import Payment
from tests.factories import MerchantFactory, PaymentFactory

OURS = [admin for admin in site._registry.values() if isinstance(admin, ReadOnlyAdmin)]


def test_a_badge_says_the_state_in_words_and_escapes_them():
    assert "requires action" in badge("requires_action", "info")
    assert "&lt;b&gt;" in badge("<b>")


def test_tones_follow_the_machine():
    assert tones(states.PAYMENT) == {
        "created": "info",
        "processing": "info",
        "requires_action": "info",
        "authorized": "info",
        "succeeded": "success",
        "failed": "danger",
        "cancelled": "",
        "expired": "",
    }


def test_money_is_shown_in_major_units_of_its_currency():
    assert "JPY 1,250" in money_column()(Payment(amount=1250, currency="JPY"))
    assert "KWD 1.250" in money_column()(Payment(amount=1250, currency="KWD"))


def test_a_link_leads_to_the_page_of_the_kind_that_the_prefix_names():
    assert "/admin/payments/payment/pay_5F1/change/" in link("pay_1")
    assert link("nothing_1") == "nothing_1"


def test_a_timeline_stands_in_the_order_of_time():
    start = datetime(2026, 11, 20, tzinfo=UTC)
    moments = [Moment(at=start + timedelta(seconds=at), kind="audit", title=f"step {at}") for at in (2, 0, 1)]
    drawn = timeline(moments)
    assert drawn.index("step 0") < drawn.index("step 1") < drawn.index("step 2")


@pytest.mark.django_db
def test_no_page_counts_further_than_a_thousand_rows(django_assert_num_queries):
    merchant = MerchantFactory()
    Attention.objects.bulk_create(Attention(subject=f"pay_{at}", reason="parked") for at in range(1001))
    pages = CappedPaginator(Attention.objects.order_by("-pk"), 25)
    with django_assert_num_queries(1):
        assert (pages.count, pages.num_pages, pages.is_capped) == (1000, 40, True)
    PaymentFactory(merchant=merchant)
    assert CappedPaginator(Payment.objects.order_by("-pk"), 25).is_capped is False


@pytest.mark.django_db
def test_every_action_is_behind_a_permission_that_exists():
    named = {
        permission
        for admin in OURS
        for action in admin.actions_detail
        for permission in getattr(admin, action).allowed_permissions
    }
    held = {f"{row.content_type.app_label}.{row.codename}" for row in Permission.objects.select_related("content_type")}
    assert named <= held
    assert "payments.act_on_payment" in named


@pytest.mark.parametrize("admin", OURS, ids=lambda admin: admin.opts.label)
def test_no_row_of_ours_is_changed_or_deleted_by_form(admin, rf):
    request = rf.get("/")
    assert not admin.has_change_permission(request)
    assert not admin.has_delete_permission(request)
    assert admin.actions is None
