"""Texts as QR codes to be scanned from a screen or from paper: SVG and PNG.

Error correction is M and the quiet zone four modules on each side, as ISO/IEC 18004 asks for. Always dark on light:
many apps do not read the reverse.
"""

import io

import segno

_LEVEL, _QUIET_ZONE, _DARK, _LIGHT = "m", 4, "#000", "#fff"
_PIXELS = 10
"""Of one module in a PNG: sharp on a screen, and at 300 dots per inch some five centimetres on paper."""


def svg(text: str) -> bytes:
    """Without a size of its own: it fills whatever it is put into."""
    return _drawn(text, kind="svg", scale=1, omitsize=True, xmldecl=False, svgclass=None, lineclass=None)


def png(text: str) -> bytes:
    return _drawn(text, kind="png", scale=_PIXELS)


def _drawn(text: str, **options: object) -> bytes:
    """Raises ValueError for a text that no code holds."""
    made = io.BytesIO()
    code = segno.make(text, error=_LEVEL, micro=False)
    code.save(made, border=_QUIET_ZONE, dark=_DARK, light=_LIGHT, **options)
    return made.getvalue()
