"""A merchant's accounts at providers, for the merchant. Credentials go in and never come out."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.api import ListQuery, NothingInput
from events.idempotency import Claim
from merchants import account_checks, accounts, doors, services
from merchants.account_checks import Checked
from merchants.account_serializers import (
    AccountInput,
    AccountOutput,
    ChangeInput,
    CheckOutput,
    CredentialsInput,
    present_account,
    present_check,
)
from merchants.models import ProviderAccount
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView

Shown = tuple[ProviderAccount, dict[str, str] | None]


class AccountApiView(ApiView):
    """What the views of accounts share."""

    key_is_optional = True

    def found(self, public_id: str) -> ProviderAccount:
        account: ProviderAccount = self.own(ProviderAccount.objects.all(), public_id)
        return account

    def found_again(self, public_id: str) -> Shown:
        return self.found(public_id), None

    def change_once(self, account: ProviderAccount, change: Callable[[], object]) -> Response:
        """Bind the key to the account and change it, in one transaction."""

        def act(claim: Claim) -> ProviderAccount:
            with transaction.atomic():
                claim.bind(account.pk)
                change()
            return account

        return self.once(act=act, resume=self.found, present=present_account)


class AccountsView(AccountApiView):
    """`/v1/provider-accounts`"""

    scopes: ClassVar = {"GET": "provider_accounts:read", "POST": "provider_accounts:write"}

    @extend_schema(
        operation_id="list_provider_accounts",
        parameters=[ListQuery],
        responses={200: list_of(AccountOutput), **PROBLEMS},
        tags=["Provider accounts"],
    )
    def get(self, request: Request) -> Response:
        """Your accounts at providers, the newest first, without their credentials."""
        asked = api.query(request, ListQuery)
        rows = self.owned(ProviderAccount.objects.defer("credentials"))
        return Response(api.page(rows, asked, present=present_account))

    @extend_schema(
        operation_id="create_provider_account",
        request=AccountInput,
        responses={201: AccountOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def post(self, request: Request) -> Response:
        """New payments may go there at once, by its priority. Enter its `callback_urls` at the provider first."""
        asked = AccountInput(data=request.data)
        asked.is_valid(raise_exception=True)
        given = self._checked(asked.validated_data)

        def act(claim: Claim) -> Shown:
            account = services.create_provider_account(
                merchant=self.caller.merchant,
                livemode=self.caller.livemode,
                by=self.caller.actor,
                insert=lambda row: claim.bind(row.pk, row),
                **given,
            )
            return account, doors.standing_urls(account)

        return self.once(act=act, resume=self.found_again, present=lambda shown: present_account(*shown), status=201)

    def _checked(self, asked: dict[str, Any]) -> dict[str, Any]:
        livemode = self.caller.livemode
        given = {"host": accounts.only_host(asked["provider"], livemode=livemode), **asked}
        fields = {name: given[name] for name in ("host", "credentials", "options")}
        accounts.check_account(given["provider"], livemode=livemode, **fields)
        return given


class AccountView(AccountApiView):
    """`/v1/provider-accounts/{id}`"""

    scopes: ClassVar = {"GET": "provider_accounts:read", "PATCH": "provider_accounts:write"}

    @extend_schema(
        operation_id="get_provider_account", responses={200: AccountOutput, **PROBLEMS}, tags=["Provider accounts"]
    )
    def get(self, request: Request, account_id: str) -> Response:
        """One account, without its credentials."""
        return Response(present_account(self.found(account_id)))

    @extend_schema(
        operation_id="change_provider_account",
        request=ChangeInput,
        responses={200: AccountOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def patch(self, request: Request, account_id: str) -> Response:
        """The change holds from the next call on, in every process."""
        account = self.found(account_id)
        asked = ChangeInput(data=request.data)
        asked.is_valid(raise_exception=True)
        options = asked.validated_data.get("options")
        accounts.check_account(account.provider, livemode=account.livemode, options=options)
        if asked.validated_data:
            services.change_account(account, by=self.caller.actor, **asked.validated_data)
        return Response(present_account(account))


class CredentialsView(AccountApiView):
    """`/v1/provider-accounts/{id}/credentials`"""

    scopes: ClassVar = {"POST": "provider_accounts:write"}

    @extend_schema(
        operation_id="rotate_provider_account_credentials",
        request=CredentialsInput,
        responses={200: AccountOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def post(self, request: Request, account_id: str) -> Response:
        """The new credentials hold from the next call on, in every process; the earlier ones are gone."""
        account = self.found(account_id)
        asked = CredentialsInput(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data["credentials"]
        accounts.check_account(account.provider, livemode=account.livemode, credentials=given)
        return self.change_once(account, lambda: services.set_credentials(account, given, by=self.caller.actor))


class CallbackUrlsView(AccountApiView):
    """`/v1/provider-accounts/{id}/callback-urls`"""

    scopes: ClassVar = {"POST": "provider_accounts:write"}

    @extend_schema(
        operation_id="renew_provider_account_callback_urls",
        request=NothingInput,
        responses={200: AccountOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def post(self, request: Request, account_id: str) -> Response:
        """New addresses to enter at the provider. The earlier ones stay open until staff close them."""
        account = self.found(account_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)

        def act(claim: Claim) -> Shown:
            with transaction.atomic():
                claim.bind(account.pk)
                services.rotate_callback_token(account, by=self.caller.actor)
            return account, doors.standing_urls(account)

        return self.once(act=act, resume=self.found_again, present=lambda shown: present_account(*shown))


class CheckView(AccountApiView):
    """`/v1/provider-accounts/{id}/test`"""

    scopes: ClassVar = {"POST": "provider_accounts:write"}

    @extend_schema(
        operation_id="test_provider_account",
        request=NothingInput,
        responses={200: CheckOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def post(self, request: Request, account_id: str) -> Response:
        """One real call to the provider with the account's credentials. It moves no money."""
        account = self.found(account_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)
        # Before the claim: a refusal for a limit binds no key.
        account_checks.limit(account)

        def act(claim: Claim) -> Checked:
            claim.bind(account.pk)
            return account_checks.check_account(account, by=self.caller.actor)

        return self.once(act=act, resume=self._again, present=present_check)

    def _again(self, public_id: str) -> Checked:
        return account_checks.check_account(self.found(public_id), by=self.caller.actor)


class DisableView(AccountApiView):
    """`/v1/provider-accounts/{id}/disable`"""

    scopes: ClassVar = {"POST": "provider_accounts:write"}

    @extend_schema(
        operation_id="disable_provider_account",
        request=NothingInput,
        responses={200: AccountOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def post(self, request: Request, account_id: str) -> Response:
        """No new payment goes there from now on; what is open there is still settled. Enabling takes two people."""
        account = self.found(account_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)
        return self.change_once(account, lambda: services.switch_account_off(account, by=self.caller.actor))
