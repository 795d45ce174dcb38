"""Plain text of wikitext, for pages of a dump: sections as they are read, without what templates would put in.

The parser is mwparserfromhell. Templates are left out but for a few that only set their text in some way, or a number with
its unit.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from medloom.errors import SourceError
from medloom.records import Section
from medloom.sources.formats.wikipedia_text import tidy
from medloom.text.normalise import clean, one_line
from medloom.text.wordlist import word_set

if TYPE_CHECKING:
    from mwparserfromhell.wikicode import Wikicode

_REMOVED_TAGS = word_set("ref references gallery table math chem timeline score imagemap div style script graph mapframe")
_LINES = word_set("li dd dt")
_FIRST = word_set("nowrap small em strong abbr sub sup nobold nobr big smaller tooltip val ill")
_LANGUAGE = re.compile(r"(?i)lang(?:-[a-z-]+)?|transl(?:iteration)?")
_MEASURES = word_set("convert cvt")
_BETWEEN = frozenset({"-", "–", "to", "and", "by", "x", "or"})
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INDENT = re.compile(r"(?m)^[ \t]+(?=\S)")
_SWITCH = re.compile(r"__[A-Z]+__")
_DISAMBIGUATION = re.compile(
    r"(?i)\{\{\s*(?:[\w -]*disambig\w*|disamb|dab|hndis|geodis|numberdis|mil-?unit-?dis|sia)\b|__DISAMBIG__"
)
_NAMESPACES = ("category", "file", "image", "media")


def is_disambiguation(text: str) -> bool:
    """Whether a page says of itself that it only tells apart what has the same name."""
    return _DISAMBIGUATION.search(text) is not None


def links_to(text: str, namespaces: Collection[str]) -> Iterator[str]:
    """Names of the categories that a page puts itself into, by links of its own.

    Args:
        text: Wikitext.
        namespaces: Names of the namespace of categories.
    """
    names = "|".join(map(re.escape, namespaces))
    for match in re.finditer(rf"(?i)\[\[[ _]*(?:{names})[ _]*:([^|\]\[{{}}]+)", _COMMENT.sub("", text)):
        if name := " ".join(match[1].replace("_", " ").split()):
            yield name


def wikitext_sections(text: str, namespaces: Collection[str] = ()) -> tuple[Section, ...]:
    """The sections of a page in order; the lead has no heading, and sections without text are left out.

    Args:
        text: Wikitext.
        namespaces: Further names of the namespaces of categories and files, in the wiki's own language.

    Raises:
        SourceError: mwparserfromhell is not installed.
    """
    try:
        from mwparserfromhell import parse
    except ImportError:
        raise SourceError("reading a dump of Wikipedia needs mwparserfromhell: pip install 'medloom[wikipedia]'") from None
    from mwparserfromhell.nodes import Heading

    reader = _Reader((*_NAMESPACES, *(name.lower() for name in namespaces)))
    sections: list[tuple[str, list[str]]] = [("", [])]
    for node in parse(_SWITCH.sub("", text), skip_style_tags=False).nodes:
        if isinstance(node, Heading):
            sections.append((one_line(clean(reader.text(node.title))), []))
        else:
            sections[-1][1].append(reader.node(node))
    return tuple(Section(heading, body) for heading, pieces in sections if (body := tidy(_INDENT.sub("", "".join(pieces)))))


class _Reader:
    """Text of the nodes of a parsed page."""

    def __init__(self, namespaces: tuple[str, ...]) -> None:
        self._namespaces = namespaces
        self._forms: dict[str, Callable[[Any], str]] = {
            "Text": lambda node: str(node.value),
            "HTMLEntity": lambda node: str(node.normalize()).replace("\xa0", " "),
            "Wikilink": self._link,
            "ExternalLink": lambda node: self.text(node.title) if node.title and node.brackets else "",
            "Tag": self._tag,
            "Template": self._template,
        }

    def text(self, code: "Wikicode") -> str:
        """Text of a piece of wikitext."""
        return "".join(map(self.node, code.nodes))

    def node(self, node: Any) -> str:  # noqa: ANN401
        """Text of one node; none of comments, arguments and whatever else is not shown."""
        form = self._forms.get(type(node).__name__)
        return form(node) if form else ""

    def _link(self, node: Any) -> str:  # noqa: ANN401
        title = self.text(node.title).strip()
        namespace = title.partition(":")[0].strip().lower()
        if not title.startswith(":") and ":" in title and namespace in self._namespaces:
            return ""
        return self.text(node.text) if node.text else title.lstrip(":")

    def _tag(self, node: Any) -> str:  # noqa: ANN401
        name = str(node.tag).strip().lower()
        if name in _REMOVED_TAGS or (node.has("class") and "noprint" in str(node.get("class").value)):
            return ""
        if name == "br":
            return "\n"
        return "" if name in _LINES or not node.contents else self.text(node.contents)

    def _template(self, node: Any) -> str:  # noqa: ANN401
        name = str(node.name).strip().lower()
        values = [self.text(p.value).strip() for p in node.params if not p.showkey]
        if name in _MEASURES:
            return _measure(values)
        if name in _FIRST:
            return values[0] if values else ""
        return values[1] if _LANGUAGE.fullmatch(name) and len(values) > 1 else ""


def _measure(values: list[str]) -> str:
    """A number, or a range of numbers, with its unit, as it was measured."""
    length = 4 if len(values) > 3 and values[1] in _BETWEEN else 2
    return " ".join(values[:length])
