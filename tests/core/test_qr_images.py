import struct
import zlib

import segno

from core import qr_images

TEXT = (
    "00020101021126670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI51440014ID.CO.QRIS.WWW"
    "0215ID10200999900170303UMI5204581253033605802ID5913WARUNG CONTOH6007BANDUNG61054011563040717"
)


def pixels(png):
    """Rows of a picture with one bit a pixel: True is light."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) in ((1, 0), (1, 3))
    place, packed = 8, b""
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            packed += png[place + 8 : place + 8 + length]
        place += length + 12
    rows, stride = zlib.decompress(packed), (width + 7) // 8 + 1
    lines, above = [], bytes(stride - 1)
    for at in range(0, len(rows), stride):
        line = rows[at + 1 : at + stride]
        # Filter 2 counts from the line above.
        above = bytes((new + old) % 256 for new, old in zip(line, above, strict=True)) if rows[at] == 2 else line
        lines.append(above)
    bits = [f"{int.from_bytes(line, 'big'):0{len(line) * 8}b}" for line in lines]
    assert len(bits) == height
    return [[bit == "1" for bit in row[:width]] for row in bits]


def test_a_picture_has_its_quiet_zone_and_ten_pixels_a_module():
    shown = pixels(qr_images.png(TEXT))
    modules = [row[5::10] for row in shown[5::10]]
    expected = [[not dark for dark in row] for row in segno.make(TEXT, error="m", micro=False).matrix_iter(border=4)]
    assert modules == expected
    assert all(all(row) for row in modules[:4] + modules[-4:])
    assert all(all(row[:4] + row[-4:]) for row in modules)


def test_the_level_of_correction_is_at_least_m():
    assert segno.make(TEXT, error="m", micro=False).error in ("M", "Q", "H")


def test_a_drawing_is_dark_on_light_fills_its_place_and_carries_no_script():
    drawn = qr_images.svg(TEXT).decode()
    assert drawn.startswith("<svg ")
    assert 'viewBox="0 0 ' in drawn
    assert "width=" not in drawn.partition(">")[0]
    assert 'fill="#fff"' in drawn
    assert 'stroke="#000"' in drawn
    assert "<script" not in drawn
    assert "style=" not in drawn


def test_the_same_text_is_the_same_image():
    assert qr_images.png(TEXT) == qr_images.png(TEXT)
    assert qr_images.svg(TEXT) != qr_images.svg(TEXT + "0")
