"""How text is compared (RFC 7644 sections 5 and 7.8): the only place that folds; values themselves stay as sent.

Composed and decomposed characters are one text (`é` as one code point or as `e` with an accent), and so are `ß` and
`ss`, `ς` and `σ`, the ligature `ﬁ` and `fi`. What looks alike to people but is canonically different stays different:
full-width forms, and text with invisible characters such as a zero-width space or a bidirectional mark. The profile of
usernames that section 5 names (RFC 8265) would make full-width forms equal and forbid invisible characters. Perch does
neither: the provider has two people where it sends two such names, so that one of them could never be pushed; a
refusal would be for a character that nobody sees; and other look-alikes, such as a Cyrillic `а`, would remain anyway.
"""

from unicodedata import combining, normalize


def fold(text: str) -> str:
    """Return text in the form that is compared where case does not matter: NFC(casefold(NFC(text)))."""
    if text.isascii():
        return text.casefold()
    return normalize("NFC", normalize("NFC", text).casefold())


def compose(text: str) -> str:
    """Return text in the form that is compared where case matters (caseExact, RFC 7643 section 2.2): NFC(text)."""
    return text if text.isascii() else normalize("NFC", text)


def plain(text: str) -> str:
    """Return text in the form in which people search: folded, without accents (`Zoë` is found as `zoe`)."""
    if text.isascii():
        return text.casefold()
    bare = (character for character in normalize("NFD", fold(text)) if not combining(character))
    return normalize("NFC", "".join(bare))


def spellings(text: str) -> set[str]:
    """Return a text as it is, composed and decomposed, to find it where text is stored as sent."""
    return {text, normalize("NFC", text), normalize("NFD", text)}
