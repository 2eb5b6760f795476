"""The grammar of filters and paths (RFC 7644 sections 3.4.2.2 and 3.5.2), one method per ABNF rule.

Beyond the ABNF a comparison may follow a value path, as Microsoft Entra writes it: `emails[type eq "work"].value eq
"x"` asks for one element that matches both.
"""

import json
import re
from dataclasses import replace

from schemas.errors import InvalidFilter, InvalidPath, ScimError
from schemas.filters.nodes import And, AttrPath, Comparison, FilterNode, LiteralValue, Not, Or, PatchPath, ValuePath
from schemas.numbers import LARGEST_INTEGER
from schemas.tolerances import Tolerance, note

MAX_LENGTH = 16 * 1024
MAX_NESTING = 32
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
LITERALS = {"true": True, "false": False, "null": None}

_SPACES = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"""[^\s()\[\]"]*""")
_ATTRIBUTE = re.compile(r"[A-Za-z$][A-Za-z0-9_-]*(?:\.[A-Za-z$][A-Za-z0-9_-]*)?")
_NAME = re.compile(r"\$?[A-Za-z][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_JSON = json.JSONDecoder()


def parse_filter(text: str) -> FilterNode:
    """Return the tree of a filter (RFC 7644 section 3.4.2.2).

    :raises InvalidFilter: with the 1-based column and what was expected there; also for text of more than
        `MAX_LENGTH` characters or nested more than `MAX_NESTING` deep.
    """
    parser = _Parser(text, "filter", InvalidFilter)
    found = parser.filter(inside=False)
    parser.end("'and', 'or' or the end of the filter")
    return found


def parse_path(text: str) -> PatchPath:
    """Return the parts of a PATCH path, PATH = attrPath / valuePath [subAttr] (RFC 7644 section 3.5.2).

    :raises InvalidPath: with the 1-based column and what was expected there.
    """
    parser = _Parser(text, "path", InvalidPath)
    parser.spaces()
    path = parser.attr_path()
    inner = parser.value_filter(path) if parser.at("[") else None
    sub = parser.sub_attr() if inner is not None and parser.at(".") else path.sub
    parser.end("the end of the path")
    return PatchPath(path, inner, sub)


class _Parser:
    """A recursive descent parser; `position` is 0-based, columns in messages are 1-based."""

    def __init__(self, text: str, subject: str, error: type[ScimError]) -> None:
        self.text = text
        self.subject = subject
        self.error = error
        self.position = 0
        self.nesting = 0
        if len(text) > MAX_LENGTH:
            raise error(f"The {subject} has {len(text)} characters; at most {MAX_LENGTH} are allowed.")

    def filter(self, inside: bool) -> FilterNode:
        """FILTER = attrExp / logExp / valuePath / *1"not" "(" FILTER ")", and valFilter where `inside` brackets."""
        terms = [self.conjunction(inside)]
        while self.keyword("or"):
            terms.append(self.conjunction(inside))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def conjunction(self, inside: bool) -> FilterNode:
        """logExp = FILTER SP ("and" / "or") SP FILTER; `and` binds more tightly than `or`."""
        terms = [self.term(inside)]
        while self.keyword("and"):
            terms.append(self.term(inside))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def term(self, inside: bool) -> FilterNode:
        """*1"not" "(" FILTER ")" / attrExp / valuePath"""
        self.spaces()
        start = self.position
        if self.word().lower() == "not":
            self.position += len("not")
            self.spaces()
            if self.at("("):
                return Not(self.group(inside))
            if self.word().lower() not in (*OPERATORS, "pr"):
                raise self.expected("'(' after 'not'")
            self.position = start
        if self.at("("):
            return self.group(inside)
        path = self.attr_path()
        return self.value_path(path, inside) if self.at("[") else self.attr_exp(path)

    def group(self, inside: bool) -> FilterNode:
        """ "(" FILTER ")" """
        self.enter()
        found = self.filter(inside)
        self.spaces()
        self.leave(")")
        return found

    def value_path(self, path: AttrPath, inside: bool) -> FilterNode:
        """valuePath = attrPath "[" valFilter "]", and Entra's comparison with a sub-attribute after it."""
        if inside:
            raise self.expected("a comparison; brackets do not go inside brackets")
        inner = self.value_filter(path)
        if not self.at("."):
            return ValuePath(path, inner)
        column = self.position + 2
        comparison = self.attr_exp(AttrPath(None, self.sub_attr(), None, column))
        return _of_same_element(path, inner, comparison)

    def value_filter(self, path: AttrPath) -> FilterNode:
        """ "[" valFilter "]" """
        if path.sub:
            raise self.expected(f"no brackets after the sub-attribute '{path.sub}'; they belong to '{path.name}'")
        self.enter()
        found = self.filter(inside=True)
        self.spaces()
        self.leave("]")
        return found

    def attr_exp(self, path: AttrPath) -> Comparison:
        """attrExp = (attrPath SP "pr") / (attrPath SP compareOp SP compValue)"""
        before = self.position
        self.spaces()
        operator = self.word().lower()
        if operator not in (*OPERATORS, "pr") or self.position == before:
            raise self.expected(f"an operator after '{_shortened(path.text)}': {', '.join((*OPERATORS, 'pr'))}")
        self.position += len(operator)
        if operator == "pr":
            return Comparison(path, operator, None, self.position + 1)
        before = self.position
        self.spaces()
        if self.position == before and self.position < len(self.text):
            raise self.expected(f"a space after '{operator}'")
        column = self.position + 1
        return Comparison(path, operator, self.comp_value(path, operator), column)

    def attr_path(self) -> AttrPath:
        """attrPath = [URI ":"] ATTRNAME *1subAttr; a dot in the URI, as in `2.0`, comes before the last colon."""
        start = self.position
        word = self.word()
        urn, _, attribute = word.rpartition(":")
        if not word:
            raise self.expected("an attribute" + (", without quotes" if self.at('"') else ""))
        if not _ATTRIBUTE.fullmatch(attribute):
            if attribute.count(".") > 1 and urn == "":
                raise self.expected("at most one sub-attribute, as in name.familyName")
            raise self.expected("the name of an attribute")
        self.position += len(word)
        name, _, sub = attribute.partition(".")
        return AttrPath(urn or None, name, sub or None, start + 1)

    def sub_attr(self) -> str:
        """subAttr = "." ATTRNAME"""
        self.position += 1
        name = _NAME.match(self.text, self.position)
        if name is None or name[0] != self.word():
            raise self.expected("the name of a sub-attribute")
        self.position = name.end()
        return name[0]

    def comp_value(self, path: AttrPath, operator: str) -> LiteralValue:
        """compValue = false / null / true / number / string"""
        if self.at('"'):
            return self.string()
        word = self.word()
        if (literal := word.lower()) in LITERALS:
            if literal != word:
                note(Tolerance.LITERAL_CASE, f"{path.text} {operator} {word}")
            self.position += len(word)
            return LITERALS[literal]
        if _NUMBER.fullmatch(word):
            return self.number(word)
        if not word:
            raise self.expected(f"a value after '{operator}', such as \"text\", true, 42 or null")
        quoted = f'{path.text} {operator} "{self.unquoted()}"'
        raise self.expected(f"a value in double quotes; write {_shortened(quoted, 200)}")

    def string(self) -> str:
        """string = quotation-mark *char quotation-mark (RFC 8259 section 7)"""
        try:
            value, end = _JSON.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            unended = error.msg.startswith("Unterminated")
            self.position = self.position if unended else error.pos
            reason = "a closing double quote for the text that starts here" if unended else "text as JSON writes it"
            raise self.expected(f'{reason} (a quote inside is \\", a backslash \\\\)') from None
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self.expected("valid Unicode text, not half of a surrogate pair")
        self.position = end
        return str(value)

    def number(self, word: str) -> int | float:
        """number = [ minus ] int [ frac ] [ exp ] (RFC 8259 section 6)"""
        whole = re.fullmatch("-?[0-9]{1,19}", word) is not None and abs(int(word)) <= LARGEST_INTEGER
        value = int(word) if whole else float(word)
        if value in (float("inf"), float("-inf")):
            raise self.expected("a smaller number")
        self.position += len(word)
        return value

    def keyword(self, name: str) -> bool:
        """Read `name`, a logical operator with spaces before and after it, if it is next."""
        self.spaces()
        if self.word().lower() != name:
            return False
        after = self.position + len(name)
        if self.text[self.position - 1] not in " \t\r\n" or self.text[after : after + 1] not in " \t\r\n":
            raise self.expected(f"a space before and after '{name}'")
        self.position = after
        return True

    def enter(self) -> None:
        """Step into brackets."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.expected(f"brackets at most {MAX_NESTING} deep; write the {self.subject} with fewer")
        self.position += 1

    def leave(self, bracket: str) -> None:
        """Step out of brackets."""
        if not self.at(bracket):
            raise self.expected(f"'and', 'or' or a closing '{bracket}'")
        self.nesting -= 1
        self.position += 1

    def end(self, expected: str) -> None:
        """Check that nothing follows."""
        self.spaces()
        if self.position < len(self.text):
            raise self.expected(expected)

    def spaces(self) -> None:
        """Skip white space."""
        self.position = _SPACES.match(self.text, self.position).end()  # type: ignore[union-attr]

    def at(self, character: str) -> bool:
        """Tell whether the next character is this one."""
        return self.text.startswith(character, self.position)

    def word(self) -> str:
        """Return the text up to the next space, bracket or quote, without moving on."""
        return _WORD.match(self.text, self.position)[0]  # type: ignore[index]

    def unquoted(self) -> str:
        """Return the text that probably lacks its quotes: up to the next logical operator or bracket."""
        rest = self.text[self.position :].strip("'\u2018\u2019\u201c\u201d")
        return re.split(r"\s(?:and|or)\s|[\]\)\"\u201d']", rest, maxsplit=1, flags=re.IGNORECASE)[0].strip()

    def expected(self, text: str) -> ScimError:
        """Return the error that names the current column, the text there, and what should be there instead."""
        there = self.word() or self.text[self.position : self.position + 1]
        found = f"'{_shortened(there)}'" if there else "the end"
        return self.error(f"Column {self.position + 1} of the {self.subject}, at {found}: expected {text}.")


def _of_same_element(path: AttrPath, inner: FilterNode, comparison: Comparison) -> FilterNode:
    """Join an element's filter with a comparison of the same element; `ne` negates both together."""
    if comparison.operator == "ne":
        return Not(_of_same_element(path, inner, replace(comparison, operator="eq")))
    if comparison.operator == "eq" and comparison.value is None:
        return Not(_of_same_element(path, inner, replace(comparison, operator="pr")))
    return ValuePath(path, And((inner, comparison)))


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
