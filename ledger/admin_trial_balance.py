"""The trial balance for staff: for all time or of one day, per currency, and whether it is zero as it must be."""

from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from ledger import statements
from ledger.admin_statement import BadDay, amount_in_words, read_day
from ledger.chart import CHART, Kind
from ledger.models import Account
from ledger.statements import Total

PAGE = "ledger_account_trial_balance"
MAY_SEE = "ledger.view_account"
_MODES = {"live": True, "test": False}


def show(request: HttpRequest, model_admin: Any) -> HttpResponse:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied
    livemode = _MODES.get(request.GET.get("mode", ""), _has_live_accounts())
    given, fault = request.GET.get("day", "").strip(), ""
    totals: list[Total] = []
    try:
        day = read_day(given)
        totals = (
            statements.movements(livemode=livemode, day=day) if day else statements.trial_balance(livemode=livemode)
        )
    except BadDay as bad:
        day, fault = None, str(bad)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Trial balance",
        "modes": [
            {
                "title": word.capitalize(),
                "link": f"?{urlencode({'mode': word, 'day': given})}",
                "active": live is livemode,
            }
            for word, live in _MODES.items()
        ],
        "mode": "live" if livemode else "test",
        "day": day,
        "fault": fault,
        "currencies": [
            _currency(code, list(rows), livemode) for code, rows in groupby(totals, lambda row: row.currency)
        ],
    }
    return TemplateResponse(request, "admin/ledger/trial_balance.html", context, status=400 if fault else 200)


def _has_live_accounts() -> bool:
    """Which mode is shown unless somebody asks: the one where there is money."""
    return Account.objects.filter(livemode=True).exists()


def _currency(code: str, totals: list[Total], livemode: bool) -> dict[str, Any]:
    debits, credits = sum(row.debits for row in totals), sum(row.credits for row in totals)
    return {
        "code": code,
        "rows": [_row(total, livemode) for total in totals],
        "debits": amount_in_words(debits, code),
        "credits": amount_in_words(credits, code),
        "difference": amount_in_words(debits - credits, code) if debits != credits else "",
    }


def _row(total: Total, livemode: bool) -> dict[str, Any]:
    asked = {"kind__exact": total.kind, "currency": total.currency, "livemode__exact": int(livemode)}
    return {
        "kind": total.kind.replace("_", " "),
        "meaning": CHART[Kind(total.kind)].meaning,
        "accounts": f"{reverse('admin:ledger_account_changelist')}?{urlencode(asked)}",
        "debits": amount_in_words(total.debits, total.currency) if total.debits else "",
        "credits": amount_in_words(total.credits, total.currency) if total.credits else "",
    }
