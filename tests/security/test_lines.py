"""What nobody sees in a line of the log, or what alters it, is written as its code."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from chatkit_server.lines import escape, is_plain, quoted, short

IGNORABLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
)
"""Default_Ignorable_Code_Point of Unicode 16, from DerivedCoreProperties.txt."""

BLANK = (0x2800, 0xFFFC, 0x13441, 0x13442, 0x16FE4, 0x1D159)
"""What many fonts show as a space, or not at all."""


def test_every_character_that_is_not_seen_is_escaped() -> None:
    categories = ("Cc", "Cf", "Cs", "Zl", "Zp")
    unseen = [
        code for code in range(sys.maxunicode) if unicodedata.category(chr(code)) in categories
    ]
    for code in (*unseen, *IGNORABLE, *BLANK, 0xFDD0, 0xFFFE, 0xFFFF):
        text = f"a{chr(code)}b"
        assert not is_plain(text), hex(code)
        for told in (escape(text), short(text), quoted(f"{text} c")):
            assert chr(code) not in told
            assert is_plain(told)
            assert "\\" in told


@pytest.mark.parametrize(
    "text",
    [
        *(
            "naïve Müller",
            "日本語　テキスト",
            "Ελληνικά",
            "русский",
            "한국어",
            "ไทย",
            "हिन्दी",
            "தமிழ்",
        ),
        *(
            "العربية ١٢٣",
            "עברית",
            "🙂🇩🇪👍🏽",
            "10\xa0000\u202f€",
            "…—„“",
            "፩፪ ግዕዝ",
            "ᠮᠣᠩᠭᠣᠯ",
            "\ue000",
        ),
    ],
)
def test_the_text_of_languages_stays_as_it_is(text: str) -> None:
    assert is_plain(text)
    assert escape(text) == text


def test_joiners_and_selectors_are_shown() -> None:
    # They can hide text in text, so that two names look alike
    assert escape("क्\u200dष") == "क्" r"\u200dष"
    assert escape("👩\u200d🚀 ❤\ufe0f") == r"👩\u200d🚀 ❤\ufe0f"


def test_every_letter_and_number_stays_as_it_is() -> None:
    fillers = {*IGNORABLE, *BLANK}
    for code in range(sys.maxunicode):
        if unicodedata.category(chr(code))[0] in "LNPS" and code not in fillers:
            assert is_plain(chr(code)), hex(code)
