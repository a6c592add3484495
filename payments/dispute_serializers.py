"""What the disputes API reads and writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core.api import ListQuery, StrictSerializer
from payments.providers.base import Kind
from payments.providers.disputes import EVIDENCE_FIELDS, DisputeReason
from payments.serializers import FailureOutput
from payments.states import DisputeState

MAX_EVIDENCE = 150_000


class EvidenceTexts(StrictSerializer):
    """Texts only: what is a file must be given at the provider's dashboard."""

    def get_fields(self) -> dict[str, Any]:
        return {
            name: serializers.CharField(max_length=most, required=False, trim_whitespace=False)
            for name, most in EVIDENCE_FIELDS.items()
        }

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        if sum(map(len, attrs.values())) > MAX_EVIDENCE:
            raise serializers.ValidationError(f"all texts together have at most {MAX_EVIDENCE} characters")
        return attrs


class EvidenceInput(StrictSerializer):
    """Without `submit`, the texts are staged at the provider and can still be changed. Submitting is for good."""

    evidence = EvidenceTexts(required=False)
    submit = serializers.BooleanField(default=False)


class AcceptInput(StrictSerializer):
    """Takes no fields."""


class DisputeQuery(ListQuery):
    state = serializers.ChoiceField(DisputeState.choices, required=False)
    payment = serializers.CharField(max_length=32, required=False)
    evidence_due__lt = serializers.DateTimeField(required=False)

    FILTERS = {"state": "state", "payment": "payment", "evidence_due__lt": "evidence_due_at__lt"}

    def filters(self) -> dict[str, Any]:
        return {self.FILTERS[name]: value for name, value in self.validated_data.items() if name in self.FILTERS}


@extend_schema_serializer(component_name="Dispute")
class DisputeOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="dispute")
    state = serializers.ChoiceField(DisputeState.choices)
    payment = serializers.CharField()
    amount = serializers.IntegerField(help_text="What the payer disputes, in minor units of the currency")
    currency = serializers.CharField()
    reason = serializers.ChoiceField([(reason.value, reason.value) for reason in DisputeReason])
    provider_id = serializers.CharField()
    provider_status = serializers.CharField(allow_null=True)
    provider_reason = serializers.CharField(allow_null=True)
    evidence_due_at = serializers.DateTimeField(allow_null=True, help_text="Null where the bank takes no answer")
    has_evidence = serializers.BooleanField(help_text="Texts are staged at the provider, or submitted")
    submitted_at = serializers.DateTimeField(allow_null=True)
    pending_response = serializers.ChoiceField(
        [(kind.value, kind.value) for kind in (Kind.EVIDENCE, Kind.ACCEPT)],
        allow_null=True,
        help_text="An answer of yours whose outcome at the provider is not known yet",
    )
    failure = FailureOutput(allow_null=True, help_text="Why the provider refused your last answer")
    late = serializers.BooleanField(help_text="It was lost, and its money came back after all")
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
