"""QRIS codes: the golden vectors, and everything that must not be shown to a payer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import qris
from core.money import Money
from core.qris import NotQris, Tip

ACCOUNT = "26670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI"
NATIONAL = "51440014ID.CO.QRIS.WWW0215ID10200999900170303UMI"
MERCHANT = "5802ID5913WARUNG CONTOH6007BANDUNG610540115"
BILL = "62190108ORD-77810703A01"
STATIC = f"000201010211{ACCOUNT}{NATIONAL}520458125303360{MERCHANT}63040717"
DYNAMIC = f"000201010212{ACCOUNT}{NATIONAL}520458125303360540545500{MERCHANT}{BILL}630424A8"
FIXED_TIP = f"000201010212{ACCOUNT}{NATIONAL}52045812530336054054550055020256042000{MERCHANT}{BILL}63040FF2"
PERCENT_TIP = f"000201010212{ACCOUNT}{NATIONAL}52045812530336054054550055020357015{MERCHANT}{BILL}6304FB07"


def written(*elements, checksum=True):
    text = "".join(f"{name}{len(value):02}{value}" for name, value in elements)
    return sealed(text) if checksum else text


def sealed(text):
    return f"{text}6304{qris.checksum(text + '6304')}"


def changed(**values):
    """The dynamic code with other values by id (`v54`), None taking one away, and a checksum that fits."""
    elements = {name: value for name, value in qris.parse(DYNAMIC).elements.items() if name != "63"}
    elements |= {name.removeprefix("v"): value for name, value in values.items()}
    return written(*((name, value) for name, value in elements.items() if value is not None))


def test_the_checksum_is_the_one_of_the_golden_vectors():
    assert qris.checksum("123456789") == "29B1"
    for code in (STATIC, DYNAMIC, FIXED_TIP, PERCENT_TIP):
        assert qris.checksum(code[:-4]) == code[-4:]


def test_a_dynamic_code_tells_its_amount_and_its_merchant():
    read = qris.parse(DYNAMIC)
    assert read.is_dynamic
    assert (read.amount, read.tip) == (Money(4_550_000, "IDR"), None)
    assert (read.merchant, read.city, read.national_id) == ("WARUNG CONTOH", "BANDUNG", "ID1020099990017")
    assert read.elements["62"] == "0108ORD-77810703A01"


def test_a_static_code_names_no_amount():
    read = qris.parse(STATIC)
    assert (read.is_dynamic, read.amount) == (False, None)


@pytest.mark.parametrize(("code", "tip"), [(FIXED_TIP, Tip.FIXED), (PERCENT_TIP, Tip.PERCENTAGE)])
def test_a_tip_is_told_apart_from_the_amount(code, tip):
    read = qris.parse(code)
    assert (read.amount, read.tip) == (Money(4_550_000, "IDR"), tip)


def test_a_tip_that_the_payer_enters_is_told():
    assert qris.parse(changed(v55="01")).tip is Tip.ENTERED_BY_PAYER


@pytest.mark.parametrize(("text", "sen"), [("100003.00", 10_000_300), ("0045500", 4_550_000), ("10.5", 1_050)])
def test_an_amount_may_have_decimals_and_leading_zeros(text, sen):
    assert qris.parse(changed(v54=text)).amount == Money(sen, "IDR")


def test_a_code_without_a_point_of_initiation_is_static_and_an_older_one_lacks_the_national_account():
    read = qris.parse(changed(v01=None, v51=None))
    assert (read.is_dynamic, read.national_id) == (False, "")


def test_what_is_not_known_is_kept_and_a_longer_name_is_taken():
    name = "WARUNG CONTOH DENGAN NAMA YANG PANJANG SEKALI"
    read = qris.parse(changed(v59=name, v85="0004ABCD"))
    assert (read.merchant, read.elements["85"]) == (name, "0004ABCD")


def test_a_value_that_looks_like_the_checksum_ends_nothing():
    assert qris.parse(changed(v59="TOKO 6304 5802ID 010211")).merchant == "TOKO 6304 5802ID 010211"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"v00": "02"}, "payload format"),
        ({"v01": "13"}, "neither static nor dynamic"),
        ({"v53": "840"}, "not for rupiah"),
        ({"v53": None}, "not for rupiah"),
        ({"v58": "SG"}, "not for rupiah"),
        ({"v59": None}, "merchant's name"),
        ({"v59": " "}, "merchant's name"),
        ({"v60": None}, "merchant's city"),
        ({"v26": None, "v51": None}, "no account"),
        ({"v26": "00"}, "no id or no length"),
        ({"v26": "0015COM"}, "beyond its text"),
        ({"v62": "0199X"}, "beyond its text"),
        ({"v51": "0015ID.CO.OTHER.WWW"}, "not that of QRIS"),
        ({"v54": "45.500.00"}, "not written in digits"),
        ({"v54": "45,500"}, "not written in digits"),
        ({"v54": ""}, "not written in digits"),
        ({"v54": "-1"}, "not written in digits"),
        ({"v54": "٤٥٥٠٠"}, "not written in digits"),
        ({"v54": "12345678901234"}, "not written in digits"),
        ({"v54": "1.005"}, "finer than the currency"),
        ({"v55": "04"}, "unknown kind of tip"),
        ({"v55": "02"}, "does not fit its indicator"),
        ({"v56": "2000"}, "does not fit its indicator"),
        ({"v55": "01", "v57": "5"}, "does not fit its indicator"),
        ({"v55": "02", "v56": "2.000,00"}, "not written in digits"),
        ({"v55": "03", "v57": "0"}, "no percentage"),
        ({"v55": "03", "v57": "100"}, "no percentage"),
    ],
)
def test_a_code_that_breaks_the_standard_is_refused(values, why):
    with pytest.raises(NotQris, match=why):
        qris.parse(changed(**values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6304",
        DYNAMIC[:-1],
        DYNAMIC[:-8],
        DYNAMIC[:-4] + "24a8",
        DYNAMIC[:-4] + "0000",
        DYNAMIC + " ",
        "\ud8006304ABCD",
    ],
)
def test_a_text_without_its_own_checksum_is_refused(text):
    with pytest.raises(NotQris, match="checksum"):
        qris.parse(text)


def test_a_changed_amount_breaks_the_checksum():
    with pytest.raises(NotQris, match="checksum"):
        qris.parse(DYNAMIC.replace("540545500", "540545501"))


def test_an_element_that_stands_there_twice_is_refused():
    with pytest.raises(NotQris, match="twice"):
        qris.parse(sealed(DYNAMIC[:-8] + "5403100"))


def test_the_order_of_the_first_two_and_the_last_is_held():
    with pytest.raises(NotQris, match="begin"):
        qris.parse(sealed("010212000201" + DYNAMIC[12:-8]))
    with pytest.raises(NotQris, match="second"):
        qris.parse(sealed("000201" + DYNAMIC[12:-8] + "010212"))
    with pytest.raises(NotQris, match="last"):
        qris.parse(sealed(DYNAMIC[:-8] + "6410AB"))


def test_a_second_checksum_is_refused():
    with pytest.raises(NotQris, match="twice"):
        qris.parse(sealed(DYNAMIC))


def test_a_refusal_repeats_nothing_of_the_text():
    with pytest.raises(NotQris) as refused:
        qris.parse(changed(v59=None))
    assert "WARUNG" not in str(refused.value)
    assert "ID102" not in str(refused.value)


@given(st.text(max_size=120))
def test_any_text_at_all_is_read_or_refused(text):
    for candidate in (text, sealed(text) if text.isascii() else text, f"000201{text}"):
        try:
            qris.parse(candidate)
        except NotQris:
            continue
