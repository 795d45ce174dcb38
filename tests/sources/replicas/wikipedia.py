"""A replica of MediaWiki's interface with TextExtracts, and a wiki of our own in it.

Whatever category is asked for exists: with pages, and with subcategories that lead back to it. It answers as MediaWiki
1.39 was seen to answer (``tests/e2e/test_mediawiki.py`` compares the two): ids and titles at most 50 at a time, one whole
extract for each request, errors with status 200, ``continue``, limits that are lowered with a warning.
"""

import hashlib
import html
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.replica import Answer, Fault, Replica, Request, replica

API = "/w/api.php"
_LIMIT, _MEMBERS = 50, 500
_HEADINGS = ("Signs and symptoms", "Causes", "Diagnosis", "Treatment", "Outlook", "History")
_THINGS = ("the pulse", "sleep", "warm baths", "long walks", "a diary", "salt", "the weather", "bread", "the left knee")
_DOES = ("gets better with", "is mistaken for", "comes before", "is unlike", "was first blamed on", "has no tie to")
_FIRST = "2024-03-01T12:00:00Z"

Part = tuple[int, str, str]


@dataclass
class Revision:
    """A state of a page: its parts, each with level, heading and text; the lead has level 0."""

    id: int
    moment: str
    parts: tuple[Part, ...]


@dataclass
class Entry:
    """A page of the wiki."""

    id: int
    title: str
    revisions: list[Revision]
    redirect: str = ""
    disambiguation: bool = False
    gone: str = ""


def parts_of(topic: str, number: int) -> tuple[Part, ...]:
    """An article of our own about the number-th thing of a topic."""
    draw = random.Random(f"{topic} {number}")

    def sentence(heading: str) -> str:
        one, other = draw.sample(_THINGS, 2)
        return f"In case {number} of {topic.lower()}, {heading.lower()}: {one} {draw.choice(_DOES)} {other} at 4 < 5 & more."

    lead = (0, "", f"Case {number} is one of {topic.lower()}. {sentence('in short')}")
    chosen = draw.sample(_HEADINGS, 3)
    below = (3, "In children", sentence("in children"))
    headed = [(2, heading, f"{sentence(heading)}\n{sentence(heading + ' again')}") for heading in chosen]
    return (lead, headed[0], below, *headed[1:], (2, "References", ""))


@dataclass
class Wiki:
    """A wiki.

    Attributes:
        n: Pages of a category, those of its subcategories not counted.
        extracts: Whether it has TextExtracts, as it is asked for pages.
        categories: Members of each category by title: id, namespace, title, moment.
        pages: By id.
    """

    n: int = 20
    extracts: bool = True
    categories: dict[str, list[tuple[int, int, str, str]]] = field(default_factory=dict)
    pages: dict[int, Entry] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """The interface."""
        query = request.query
        if query.get("format") != "json" or query.get("formatversion") != "2":
            return Answer(b"<html>the help of the interface</html>", headers={"Content-Type": "text/html"})
        forms: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {"query": self._query, "parse": self._parse}
        try:
            if query.get("action") not in forms:
                raise _RefusalError("badvalue", 'Unrecognized value for parameter "action".')
            return _json(forms[query["action"]](query))
        except _RefusalError as error:
            return refusal(error.code, error.info)

    def category(self, name: str) -> list[tuple[int, int, str, str]]:
        """Members of a category, made when first asked for: pages, then the subcategory below it."""
        if name not in self.categories:
            members = []
            for number in range(self.n):
                entry = self._write(f"{name} {number}", parts_of(name, number))
                members.append((entry.id, 0, entry.title, _FIRST))
            members += [(_number(f"Category:{one}"), 14, f"Category:{one}", _FIRST) for one in _below(name)]
            self.categories[name] = members
        return self.categories[name]

    def add(self, category: str, entry: Entry, moment: str = _FIRST) -> None:
        """Put a page into a category."""
        pages = [one for one in self.category(category) if one[1] == 0]
        self.categories[category] = [*pages, (entry.id, 0, entry.title, moment), *self.category(category)[len(pages) :]]

    def write(self, title: str, parts: tuple[Part, ...], moment: str = _FIRST, **marks: Any) -> Entry:
        """Write a page, or a new revision of it."""
        entry = self._write(title, parts, moment)
        for name, value in marks.items():
            setattr(entry, name, value)
        return entry

    def delete(self, number: int, moment: str) -> None:
        """Delete a page: it leaves its categories, and the log says so."""
        self.pages[number].gone = moment
        for name, members in self.categories.items():
            self.categories[name] = [one for one in members if one[0] != number]

    def _write(self, title: str, parts: tuple[Part, ...], moment: str = _FIRST) -> Entry:
        number = _number(title)
        entry = self.pages.setdefault(number, Entry(number, title, []))
        revision = _number(f"{title} {len(entry.revisions)}")
        entry.revisions.append(Revision(revision, moment, parts))
        return entry

    def _query(self, query: Mapping[str, str]) -> dict[str, Any]:
        if query.get("meta") == "siteinfo":
            return {"batchcomplete": True, "query": {"general": {"sitename": "Replica", "generator": "MediaWiki 1.39.17"}}}
        if query.get("list") == "categorymembers":
            return self._members(query)
        if query.get("list") == "logevents":
            return self._log(query)
        return self._pages(query)

    def _members(self, query: Mapping[str, str]) -> dict[str, Any]:
        kinds = query.get("cmtype", "page|subcat|file").split("|")
        name = query["cmtitle"].partition(":")[2]
        members = [one for one in self.category(name) if ("subcat" if one[1] == 14 else "page") in kinds]
        start = _place(query.get("cmcontinue", ""), [one[0] for one in members])
        limit = min(int(query.get("cmlimit", 10)), _MEMBERS)
        answer: dict[str, Any] = {"batchcomplete": True, "query": {"categorymembers": []}}
        for number, space, title, moment in members[start : start + limit]:
            kind = "subcat" if space == 14 else "page"
            row = {"pageid": number, "ns": space, "title": title, "type": kind, "timestamp": moment}
            answer["query"]["categorymembers"].append(row)
        if start + limit < len(members):
            number, space, title, _ = members[start + limit]
            kind = "subcat" if space == 14 else "page"
            answer["continue"] = {"cmcontinue": f"{kind}|{title.encode().hex().upper()}|{number}", "continue": "-||"}
        return answer

    def _log(self, query: Mapping[str, str]) -> dict[str, Any]:
        events = sorted((e for e in self.pages.values() if e.gone >= query["leend"]), key=lambda e: e.gone, reverse=True)
        start = _place(query.get("lecontinue", ""), [one.id for one in events])
        limit = min(int(query.get("lelimit", 10)), _MEMBERS)
        rows = [
            {"logid": one.id, "ns": 0, "title": one.title, "pageid": 0, "logpage": one.id}
            | {"type": "delete", "action": "delete", "timestamp": one.gone}
            for one in events[start : start + limit]
        ]
        answer: dict[str, Any] = {"batchcomplete": True, "query": {"logevents": rows}}
        if start + limit < len(events):
            answer["continue"] = {
                "lecontinue": f"{events[start + limit].gone}|{events[start + limit].id}",
                "continue": "-||",
            }
        return answer

    def _pages(self, query: Mapping[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = {"batchcomplete": True, "query": {}}
        props = query.get("prop", "").split("|")
        if "titles" in query:
            answer["query"]["pages"] = [self._named(title) for title in _several(query, "titles")]
            return answer
        if "revids" in query:
            answer["query"] |= self._by_revision(_several(query, "revids"))
            return answer
        entries, redirects = [], []
        for number in _several(query, "pageids"):
            entry = self.pages.get(int(number))
            if entry is not None and entry.redirect and "redirects" in query:
                redirects.append({"from": entry.title, "to": entry.redirect})
                entry = self.pages[_number(entry.redirect)]
            entries.append((int(number), entry))
        if redirects:
            answer["query"]["redirects"] = redirects
        shown = {(e.id if e else number): self._shown(number, e, props) for number, e in entries}
        answer["query"]["pages"] = list(shown.values())
        if "extracts" in props and not self.extracts:
            answer["warnings"] = {"query": {"warnings": 'Unrecognized value for parameter "prop": extracts'}}
        elif "extracts" in props:
            self._extract(query, [page for page in shown.values() if not page.get("missing")], answer)
        return answer

    def _extract(self, query: Mapping[str, str], pages: list[dict[str, Any]], answer: dict[str, Any]) -> None:
        """One whole extract for each request, whatever was asked for."""
        if "explaintext" not in query or query.get("exsectionformat", "wiki") != "wiki":
            raise _RefusalError("replica", "this replica gives plain text with headings as in wikitext only")
        at = int(query.get("excontinue", 0))
        if int(query.get("exlimit", 20)) > 1 and len(pages) > 1:
            said = '"exlimit" was too large for a whole article extracts request, lowered to 1.'
            answer["warnings"] = {"extracts": {"warnings": said}}
        if at < len(pages):
            pages[at]["extract"] = extract(self.pages[pages[at]["pageid"]].revisions[-1].parts)
        if at + 1 < len(pages):
            del answer["batchcomplete"]
            answer["continue"] = {"excontinue": at + 1, "continue": "||info|pageprops|revisions"}

    def _shown(self, number: int, entry: Entry | None, props: list[str]) -> dict[str, Any]:
        if entry is None or entry.gone:
            return {"pageid": number, "missing": True}
        page: dict[str, Any] = {"pageid": entry.id, "ns": 0, "title": entry.title}
        last = entry.revisions[-1]
        address = f"https://replica.example/wiki/{entry.title.replace(' ', '_')}"
        if "info" in props:
            page |= {"contentmodel": "wikitext", "pagelanguage": "en", "touched": last.moment, "lastrevid": last.id}
            page |= {"fullurl": address, "canonicalurl": address} | ({"redirect": True} if entry.redirect else {})
        if "pageprops" in props and entry.disambiguation:
            page["pageprops"] = {"disambiguation": ""}
        if "revisions" in props:
            page["revisions"] = [{"revid": last.id, "parentid": 0, "timestamp": last.moment}]
        return page

    def _named(self, title: str) -> dict[str, Any]:
        """A category by title, with what it holds; those whose names begin with "No" do not exist."""
        name = title.partition(":")[2]
        if name.startswith("No "):
            return {"ns": 14, "title": title, "missing": True}
        members = [] if title in self.texts else self.category(name)
        pages = sum(one[1] == 0 for one in members)
        info = {"size": len(members), "pages": pages, "files": 0, "subcats": len(members) - pages, "hidden": False}
        content = {"contentmodel": "wikitext", "contentformat": "text/x-wiki", "content": self.texts.get(title, "Pages.")}
        page = {"pageid": _number(title), "ns": 14, "title": title, "categoryinfo": info}
        return page | {"revisions": [{"slots": {"main": content}}]}

    def _by_revision(self, wanted: list[str]) -> dict[str, Any]:
        known = {str(r.id): (e, r) for e in self.pages.values() if not e.gone for r in e.revisions}
        bad = {one: {"revid": int(one), "missing": True} for one in wanted if one not in known}
        pages: dict[int, dict[str, Any]] = {}
        for entry, revision in (known[one] for one in wanted if one in known):
            page = pages.setdefault(entry.id, {"pageid": entry.id, "ns": 0, "title": entry.title, "revisions": []})
            page["revisions"].append({"revid": revision.id, "parentid": 0, "timestamp": revision.moment})
        return {"pages": list(pages.values())} | ({"badrevids": bad} if bad else {})

    def _parse(self, query: Mapping[str, str]) -> dict[str, Any]:
        for entry in self.pages.values():
            for revision in entry.revisions:
                if str(revision.id) == query["oldid"] and not entry.gone:
                    said = {"title": entry.title, "pageid": entry.id, "revid": revision.id}
                    return {"parse": said | {"text": as_html(revision.parts)}}
        raise _RefusalError("nosuchrevid", f"There is no revision with ID {query['oldid']}.")


def extract(parts: tuple[Part, ...]) -> str:
    """Plain text of a page as TextExtracts gives it."""
    headed = (f"\n\n\n{'=' * level} {heading} {'=' * level}\n{text}" for level, heading, text in parts[1:])
    return "".join([parts[0][2], *headed]).strip()


def as_html(parts: tuple[Part, ...]) -> str:
    """A page as the parser gives it, with what an extract leaves out: a table, a note, a link to edit, a comment."""
    shown = ['<table class="infobox"><tbody><tr><td>Kind\n</td></tr></tbody></table>\n']
    for level, heading, text in parts:
        if level:
            shown.append(
                f'<div class="mw-heading mw-heading{level}"><h{level} id="{heading}">{heading}</h{level}>'
                '<span class="mw-editsection">[edit]</span></div>\n'
            )
        note = '<sup id="cite_ref-1" class="reference"><a href="#cite_note-1">&#91;1&#93;</a></sup>'
        shown.append(f"<p>{html.escape(text, quote=False)}{note}\n</p>\n" if text else "")
    return "".join([*shown, '<ol class="references"><li>A book.</li></ol>\n<!-- made in 0.01 s -->\n'])


def refusal(code: str, info: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """An error as MediaWiki reports it: with status 200."""
    body = {"error": {"code": code, "info": info, "docref": "See https://replica.example/w/api.php for API usage."}}
    return Answer(json.dumps(body).encode(), headers={"MediaWiki-API-Error": code, **(headers or {})})


def refused(code: str, retry_after: str = "") -> Fault:
    """An error in an answer, once."""
    answer = refusal(code, headers={"Retry-After": retry_after} if retry_after else {})
    return Fault(status=200, headers=answer.headers, body=answer.body)


@contextmanager
def serve(n: int, faults: Mapping[int, Fault] | None = None) -> Iterator[Replica]:
    """Run a wiki in which every category holds ``n`` pages, and a subcategory with as many.

    Its interface is at ``Replica.url + API``: give that as ``api`` of the source, with ``interval=0``. The texts are
    distinct and name their category, so that every task that is built from categories can be built from them.
    """
    with replica(Wiki(n).answer, faults) as running:
        yield running


class _RefusalError(Exception):
    def __init__(self, code: str, info: str) -> None:
        super().__init__(code)
        self.code, self.info = code, info


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=utf-8"})


def _several(query: Mapping[str, str], name: str) -> list[str]:
    values = query[name].split("|")
    if len(values) > _LIMIT:
        raise _RefusalError("toomanyvalues", f'Too many values supplied for parameter "{name}". The limit is {_LIMIT}.')
    return values


def _place(token: str, numbers: list[int]) -> int:
    """Where a list goes on; a token names the next item, and outlives whatever comes before it."""
    if not token:
        return 0
    number = token.rpartition("|")[2]
    if not number.isdigit() or int(number) not in numbers:
        raise _RefusalError("badcontinue", "Invalid continue param. You should pass the original value.")
    return numbers.index(int(number))


def _below(category: str) -> list[str]:
    """Subcategories: two levels, each of which leads back to the one above."""
    if category.endswith(" (level 2)"):
        return [category.replace("2)", "1)")]
    if category.endswith(" (level 1)"):
        return [category.removesuffix(" (level 1)"), category.replace("1)", "2)")]
    return [f"{category} (level 1)"]


def _number(title: str) -> int:
    """An id that is the same in every run."""
    return int(hashlib.sha256(title.encode()).hexdigest()[:11], 16) + 1
