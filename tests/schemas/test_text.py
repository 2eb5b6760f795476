"""The two forms in which text is compared, and that no other code folds text."""

import sys
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.text import compose, fold, plain, spellings
from tests.test_architecture import MODULES, ROOT

# The emulator imports nothing of Perch; redaction folds names of secrets and whole bodies, no values to compare.
OTHERS = {"schemas/text.py", "scim/observability/redaction.py"}

EQUAL = {
    "composed and decomposed": ("jos\u00e9", "jose\u0301"),
    "case": ("ADA", "ada"),
    "case and composition": ("JOSE\u0301", "jos\u00e9"),
    "two accents in any order": ("a\u0323\u0302", "a\u0302\u0323"),
    "three ways to write one": ("\u1ead", "\u1ea1\u0302"),
    "sharp s": ("Stra\u00dfe", "STRASSE"),
    "capital sharp s": ("STRA\u1e9eE", "strasse"),
    "final sigma": ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
    "ligature": ("\ufb01n", "FIN"),
    "Hangul jamo": ("\u1112\u1161\u11ab", "\ud55c"),
    "Turkish dotted I": ("\u0130", "i\u0307"),
    "the signs of angstrom and kelvin": ("\u212b\u212a", "\u00e5k"),
    "a letter that has no small composed form": ("J\u030c", "\u01f0"),
    "CJK compatibility ideograph": ("\uf900", "\u8c48"),
}
DIFFERENT = {
    "accent": ("jose", "jos\u00e9"),
    "Turkish dotless i": ("\u0131", "i"),
    "dotted I and i": ("\u0130", "i"),
    "full width": ("\uff41\uff42", "ab"),
    "half-width katakana": ("\uff76", "\u30ab"),
    "zero-width space": ("a\u200bb", "ab"),
    "zero-width joiner": ("a\u200db", "ab"),
    "bidirectional marks": ("\u202aab\u202c", "ab"),
    "byte order mark": ("\ufeffab", "ab"),
    "soft hyphen": ("a\u00adb", "ab"),
    "no-break space": ("a\u00a0b", "a b"),
    "Cyrillic": ("\u0430", "a"),
    "superscript": ("x\u00b2", "x2"),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL.keys())
def test_texts_are_equal(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_texts_are_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)
    assert compose(one) != compose(other)


def test_where_case_matters_only_the_composition_does_not() -> None:
    assert compose("Jose\u0301") == compose("Jos\u00e9") == "Jos\u00e9"
    assert compose("\u212b") == "\u00c5"
    for one, other in (("Ada", "ada"), ("\u00df", "ss"), ("\ufb01", "fi"), ("\u03c2", "\u03c3")):
        assert compose(one) != compose(other)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_spelling_has_the_same_form(text: str) -> None:
    assert spellings(text) == {text, normalize("NFC", text), normalize("NFD", text)}
    assert {fold(spelling) for spelling in spellings(text)} == {fold(text)}
    assert {compose(spelling) for spelling in spellings(text)} == {compose(text)}
    assert fold(text) == normalize("NFC", normalize("NFC", text).casefold())


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_text_is_only_folded(text: str) -> None:
    assert (fold(text), compose(text)) == (text.lower(), text)


def test_no_other_module_folds_text() -> None:
    folding = [
        str(file.relative_to(ROOT))
        for file in MODULES
        if any(word in Path(file).read_text(encoding="utf-8") for word in (".casefold(", "unicodedata", "NOCASE"))
    ]
    assert {file for file in folding if not file.startswith("scim/emulator/")} == OTHERS


CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
IOTA_SUBSCRIPTS = [character for character in CHARACTERS if "\u0345" in normalize("NFD", character)]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=IOTA_SUBSCRIPTS)))
def test_text_that_casefold_gave_folds_as_the_text_itself(text: str) -> None:
    """So the migration m015_normalised needs no documents."""
    assert fold(text.casefold()) == fold(text)
    assert fold(fold(text)) == fold(text)


def test_every_character_folds_as_its_casefold() -> None:
    assert not [text for text in CHARACTERS if fold(text.casefold()) != fold(text) or fold(fold(text)) != fold(text)]


@pytest.mark.parametrize(
    ("text", "searched"),
    [
        ("Zoë", "zoe"), ("ZOE\u0308", "zoe"), ("Åberg", "aberg"), ("\u1ead", "a"), ("Straße", "strasse"), ("İ", "i"),
        ("Ελλάς", "ελλασ"), ("한국", "한국"), ("हिन्दी", "हिनदी"), ("øæł", "øæł"), ("か\u3099", "か"),
        ("ANN", "ann"), ("", ""),
    ],
)  # fmt: skip
def test_people_search_without_accents(text: str, searched: str) -> None:
    assert plain(text) == searched
    assert plain(normalize("NFD", text)) == plain(normalize("NFC", text)) == plain(plain(text))


@given(st.text())
def test_what_is_equal_is_searched_alike(text: str) -> None:
    assert plain(text) == plain(fold(text)) == plain(text.upper().lower() if text.isascii() else text)
