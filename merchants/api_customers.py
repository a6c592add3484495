"""Customers, for merchants: parse, one call, present."""

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.api import ListQuery, PhoneField, StrictSerializer
from core.metadata import MetadataField
from events.idempotency import Claim
from events.sealing import SubjectKeys
from merchants import customer_search, customers
from merchants.customer_presentation import present_customer
from merchants.models import Customer
from merchants.openapi import PROBLEMS, list_of
from merchants.states import CustomerState
from merchants.views import ApiView

_OPTIONAL: dict[str, Any] = {"required": False, "allow_null": True, "allow_blank": True}


class AddressInput(StrictSerializer):
    line1 = serializers.CharField(max_length=200, required=False)
    line2 = serializers.CharField(max_length=200, required=False)
    city = serializers.CharField(max_length=100, required=False)
    region = serializers.CharField(max_length=100, required=False)
    postal_code = serializers.CharField(max_length=20, required=False)
    country = serializers.RegexField(r"^[A-Z]{2}$", required=False, help_text="ISO 3166, such as KE")


class CustomerInput(StrictSerializer):
    """A phone number is kept in E.164; without + and a country code it is read in your account's default region."""

    type = serializers.ChoiceField(Customer.Type.choices, default=Customer.Type.PERSON)
    name = serializers.CharField(max_length=200, **_OPTIONAL)
    email = serializers.EmailField(max_length=254, **_OPTIONAL)
    phone = PhoneField(max_length=40, **{**_OPTIONAL, "allow_blank": False})
    address = AddressInput(required=False, allow_null=True)
    reference = serializers.CharField(max_length=100, help_text="Your own id of the customer, unique", **_OPTIONAL)
    metadata = MetadataField()


class CustomerChange(CustomerInput):
    """Only what is sent changes; null clears. An address and metadata are replaced whole."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, partial=True, **options)


class MergeInput(StrictSerializer):
    duplicate = serializers.CharField(max_length=32, help_text="The id of the customer that is the same as this one")


class CustomerQuery(ListQuery):
    """What is searched for is compared exactly: a phone number in E.164, an e-mail address without regard to case."""

    reference = serializers.CharField(max_length=100, required=False)
    email = serializers.CharField(max_length=254, required=False)
    phone = PhoneField(max_length=40, required=False)

    def to_internal_value(self, data: Any) -> Any:
        """A + that was not escaped in a URL arrives as a space."""
        if str(data.get("phone", "")).startswith(" "):
            data = {**data, "phone": "+" + data["phone"].strip()}
        return super().to_internal_value(data)

    def sought(self) -> dict[str, str]:
        return {name: value for name, value in self.validated_data.items() if name in ("reference", "email", "phone")}


@extend_schema_serializer(component_name="Address")
class AddressOutput(serializers.Serializer[Any]):
    line1 = serializers.CharField(required=False)
    line2 = serializers.CharField(required=False)
    city = serializers.CharField(required=False)
    region = serializers.CharField(required=False)
    postal_code = serializers.CharField(required=False)
    country = serializers.CharField(required=False)


@extend_schema_serializer(component_name="Customer")
class CustomerOutput(serializers.Serializer[Any]):
    """Of an erased customer only `id`, `object`, `livemode`, `created_at` and `erased_at` are left.

    A customer that was merged is answered with the survivor's data and names it in `merged_into`.
    """

    id = serializers.CharField()
    object = serializers.CharField(default="customer")
    state = serializers.ChoiceField(CustomerState.choices, required=False)
    type = serializers.ChoiceField(Customer.Type.choices, required=False)
    name = serializers.CharField(allow_null=True, required=False)
    email = serializers.CharField(allow_null=True, required=False)
    phone = serializers.CharField(allow_null=True, required=False, help_text="In E.164")
    address = AddressOutput(allow_null=True, required=False)
    reference = serializers.CharField(allow_null=True, required=False)
    metadata = serializers.DictField(child=serializers.CharField(), required=False)
    merged_into = serializers.CharField(allow_null=True, required=False)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    erased_at = serializers.DateTimeField(allow_null=True)


class CustomerApiView(ApiView):
    """What the views of customers share."""

    key_is_optional = True

    def found(self, public_id: str) -> Customer:
        customer: Customer = self.own(Customer.objects.select_related("merged_into"), public_id)
        return customer

    def given(self, serializer: type[StrictSerializer]) -> dict[str, Any]:
        parsed = serializer(data=self.request.data, context=self.context())
        parsed.is_valid(raise_exception=True)
        given: dict[str, Any] = parsed.validated_data
        return given

    def context(self) -> dict[str, str]:
        return {"region": self.caller.merchant.default_region}


class CustomersView(CustomerApiView):
    """`/v1/customers`"""

    scopes: ClassVar = {"GET": "customers:read", "POST": "customers:write"}

    @extend_schema(
        operation_id="list_customers",
        parameters=[CustomerQuery],
        responses={200: list_of(CustomerOutput), **PROBLEMS},
        tags=["Customers"],
    )
    def get(self, request: Request) -> Response:
        """Your customers, the newest first; found by `reference`, `email` or `phone`, compared exactly."""
        asked = api.query(request, CustomerQuery, context=self.context())
        keys = SubjectKeys()
        rows = self._sought(self.owned(Customer.objects.filter(state=CustomerState.ACTIVE)), asked)
        return Response(api.page(rows, asked, present=lambda row: present_customer(row, keys=keys), prepare=keys.fetch))

    def _sought(self, rows: QuerySet[Customer], asked: CustomerQuery) -> QuerySet[Customer]:
        sought = asked.sought()
        caller = self.caller
        if not sought:
            return rows
        return customer_search.matching(rows, merchant=caller.merchant.pk, livemode=caller.livemode, **sought)

    @extend_schema(
        operation_id="create_customer",
        request=CustomerInput,
        responses={201: CustomerOutput, **PROBLEMS},
        tags=["Customers"],
    )
    def post(self, request: Request) -> Response:
        """Keep a customer. Contact data is sealed, and found again by exactly what you search for."""
        caller, given = self.caller, self.given(CustomerInput)
        return self.once(
            act=lambda claim: customers.create_customer(
                merchant=caller.merchant, livemode=caller.livemode, given=given, by=caller.actor, claim=claim
            ),
            resume=self.found,
            present=present_customer,
            status=201,
        )


class CustomerView(CustomerApiView):
    """`/v1/customers/{id}`"""

    scopes: ClassVar = {"GET": "customers:read", "PATCH": "customers:write", "DELETE": "customers:write"}

    @extend_schema(operation_id="get_customer", responses={200: CustomerOutput, **PROBLEMS}, tags=["Customers"])
    def get(self, request: Request, customer_id: str) -> Response:
        """One customer. Of an erased one only the id and the moments are left."""
        return Response(present_customer(self.found(customer_id)))

    @extend_schema(
        operation_id="change_customer",
        request=CustomerChange,
        responses={200: CustomerOutput, **PROBLEMS},
        tags=["Customers"],
    )
    def patch(self, request: Request, customer_id: str) -> Response:
        """Change what you send; null clears. Address and metadata are replaced whole."""
        customer = self.found(customer_id)
        customers.change_customer(customer, given=self.given(CustomerChange), by=self.caller.actor)
        return Response(present_customer(self.found(customer_id)))

    @extend_schema(
        operation_id="erase_customer",
        description="Erases the customer and every duplicate of theirs for good. A legal hold answers 409.",
        responses={200: CustomerOutput, **PROBLEMS},
        tags=["Customers"],
    )
    def delete(self, request: Request, customer_id: str) -> Response:
        erased = customers.erase_customer(self.found(customer_id), by=self.caller.actor)
        return Response(present_customer(erased))


class MergeView(CustomerApiView):
    """`/v1/customers/{id}/merge`"""

    scopes: ClassVar = {"POST": "customers:write"}

    @extend_schema(
        operation_id="merge_customer",
        description="From then on the duplicate's id is answered with this customer, who takes over contact data that "
        "it lacked. This cannot be taken back.",
        request=MergeInput,
        responses={200: CustomerOutput, **PROBLEMS},
        tags=["Customers"],
    )
    def post(self, request: Request, customer_id: str) -> Response:
        customer, duplicate = self.found(customer_id), self.given(MergeInput)["duplicate"]

        def act(claim: Claim) -> Customer:
            with transaction.atomic():
                survivor = customers.merge_customers(survivor=customer, duplicate=duplicate, by=self.caller.actor)
                claim.bind(survivor.pk)
            return survivor

        return self.once(act=act, resume=self.found, present=present_customer)
