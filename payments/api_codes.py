"""Images of the codes that payers scan: for merchants, and for the screens in their stores."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from core import qr_images
from core.api import JsonRenderer
from merchants.models import DisplayToken
from merchants.openapi import PROBLEMS
from merchants.screens import HasScopeOrIsScreen, KeyOrDisplayToken, Screen
from merchants.views import ApiView
from payments.codes import code_of
from payments.models import Payment

SVG, PNG = "image/svg+xml", "image/png"
_AUTH: Any = [{"ApiKey": []}, {"ApiKeyHeader": []}, {"DisplayToken": []}]


class SvgRenderer(JsonRenderer):
    """Lets the image be asked for by its kind; problems stay JSON."""

    media_type, format = SVG, "svg"


class PngRenderer(JsonRenderer):
    media_type, format = PNG, "png"


class CodeImageView(ApiView):
    """What the images of a code share."""

    scopes: ClassVar = {"GET": "payments:read"}
    authentication_classes = (KeyOrDisplayToken,)
    permission_classes = (HasScopeOrIsScreen,)
    token: DisplayToken | None = None

    def finalize_response(self, request: Request, response: Any, *arguments: Any, **options: Any) -> Any:
        answered = super().finalize_response(request, response, *arguments, **options)
        if self.token is not None and isinstance(request.user, Screen):
            asked = self.kwargs["payment_id"]
            request.user.note(request, self.token, object_id=asked, status=answered.status_code)
        return answered

    def image(self, request: Request, payment_id: str, kind: str, draw: Callable[[str], bytes]) -> HttpResponse:
        response = HttpResponse(draw(code_of(self._payment(request, payment_id))), content_type=kind)
        response["Cache-Control"] = "no-store"
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response

    def _payment(self, request: Request, payment_id: str) -> Payment:
        payments = Payment.objects.prefetch_related("attempts__account")
        if not isinstance(request.user, Screen):
            mine: Payment = self.own(payments, payment_id)
            return mine
        found = None if "\x00" in payment_id else payments.filter(pk=payment_id, store__isnull=False).first()
        self.token = request.user.admitted(store=str(found.store_id) if found else "")
        assert found is not None  # no token is one of no store
        return found


class CodeSvgView(CodeImageView):
    """`/v1/payments/{id}/qr.svg`"""

    renderer_classes = (JsonRenderer, SvgRenderer)

    @extend_schema(
        operation_id="get_payment_qr_svg",
        auth=_AUTH,
        responses={(200, SVG): OpenApiTypes.STR, **PROBLEMS},
        tags=["Payments"],
    )
    def get(self, request: Request, payment_id: str) -> HttpResponse:
        """The code of a payment that waits to be scanned, as a drawing without a size of its own.

        It keeps its quiet zone and is dark on light, so show it as it is, whatever the ground. Once the payment is
        paid, or cannot be paid any more, the answer is 410. A current display token of the store may be sent in
        the place of an API key.
        """
        return self.image(request, payment_id, SVG, qr_images.svg)


class CodePngView(CodeImageView):
    """`/v1/payments/{id}/qr.png`"""

    renderer_classes = (JsonRenderer, PngRenderer)

    @extend_schema(
        operation_id="get_payment_qr_png",
        auth=_AUTH,
        responses={(200, PNG): OpenApiTypes.BINARY, **PROBLEMS},
        tags=["Payments"],
    )
    def get(self, request: Request, payment_id: str) -> HttpResponse:
        """The same as a picture of ten pixels a module, for paper and for what draws no SVG."""
        return self.image(request, payment_id, PNG, qr_images.png)
