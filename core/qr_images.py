"""Texts as QR codes to be scanned from a screen or from paper: SVG and PNG.

Error correction is M or better, and the quiet zone four modules on each side, as ISO/IEC 18004 asks for. Always dark on
light: many apps do not read the reverse.
"""

import io
from collections.abc import Mapping
from typing import Any

import segno

_LEVEL, _QUIET_ZONE, _DARK, _LIGHT = "m", 4, "#000", "#fff"
_PIXELS = 10
"""Of one module in a PNG: sharp on a screen, and at 300 dots per inch some five centimetres on paper."""

_SHAPE: Mapping[str, Any] = {"xmldecl": False, "omitsize": True, "svgclass": None, "lineclass": None}


def svg(text: str) -> bytes:
    """Without a size of its own: it fills whatever it is put into. Raises ValueError for what no code holds."""
    made, draw = io.BytesIO(), _code(text).save
    draw(made, kind="svg", border=_QUIET_ZONE, dark=_DARK, light=_LIGHT, **_SHAPE)
    return made.getvalue()


def png(text: str) -> bytes:
    """Raises ValueError for a text that no code holds."""
    made, draw = io.BytesIO(), _code(text).save
    draw(made, kind="png", scale=_PIXELS, border=_QUIET_ZONE, dark=_DARK, light=_LIGHT)
    return made.getvalue()


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error=_LEVEL)
