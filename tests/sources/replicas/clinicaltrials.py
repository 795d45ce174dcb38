"""A replica of ClinicalTrials.gov's interface, version 2, with studies of our own.

It keeps the rules that the interface's description states: pages of at most 1,000 studies, more are coerced down; a token
for the next page, which demands the same other parameters; ``countTotal`` on the first page only; no order unless asked,
and then by dates or numbers; filters in the registry's expression syntax (as far as sources use it); status 400 for what it
does not know. Tokens can be made to die.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

from tests.replica import Answer, Replica, Request, replica

API = "/api/v2"
_MODULES = (
    "Identification",
    "Status",
    "Description",
    "Conditions",
    "Design",
    "ArmsInterventions",
    "Outcomes",
    "Eligibility",
)
_DATES = {"StudyFirstPostDate": "studyFirstPostDateStruct", "LastUpdatePostDate": "lastUpdatePostDateStruct"}
_KNOWN = {
    "query.term",
    "query.cond",
    "filter.ids",
    "filter.advanced",
    "fields",
    "sort",
    "countTotal",
    "pageSize",
    "pageToken",
}
_ILLNESSES = ("asthma", "gout", "migraine", "psoriasis", "anaemia", "sciatica", "eczema", "insomnia")
_REMEDIES = ("walking", "tea of linden", "a warm bath", "early sleep", "breathing exercises", "a diary", "singing", "rest")
_MEASURES = ("pain", "sleep", "appetite", "mood", "strength", "steps in a day", "days off work", "use of stairs")


def study(number: int, seed: int = 0) -> dict[str, Any]:
    """A whole record: every module that sources read and some that they do not, with texts of our own."""
    draw = random.Random(f"{seed} {number}")
    illness, remedy, measure = draw.choice(_ILLNESSES), draw.choice(_REMEDIES), draw.choice(_MEASURES)
    posted = date(1999, 11, 1) + timedelta(days=(number * 1_237) % 9_700 // 5 * 5)
    title = f"{remedy.capitalize()} against {illness}, study {number}"
    weeks = draw.randint(2, 60)
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT{number:08}",
                "briefTitle": title,
                "officialTitle": f"A comparison of {remedy} with usual care in adults with {illness}, no. {number}",
                "acronym": f"CARE-{number}",
                "organization": {"fullName": "House of Trials", "class": "OTHER"},
            },
            "statusModule": {
                "overallStatus": draw.choice(("COMPLETED", "RECRUITING", "UNKNOWN")),
                "studyFirstPostDateStruct": {"date": posted.isoformat(), "type": "ACTUAL"},
                "lastUpdatePostDateStruct": {"date": (posted + timedelta(days=200)).isoformat(), "type": "ESTIMATED"},
            },
            "descriptionModule": {
                "briefSummary": f"Study {number} asks whether {remedy} helps people who live with {illness}.",
                "detailedDescription": f"Participants of study {number} are told to use {remedy} for {weeks} weeks.\n\n"
                f"The group with {illness} of more than {draw.randint(1, 9)} years is looked at apart; {measure} is "
                "written down each evening.",
            },
            "conditionsModule": {"conditions": [illness.capitalize(), f"{illness} of adults"], "keywords": [remedy]},
            "designModule": {"studyType": "INTERVENTIONAL", "phases": ["PHASE2", "PHASE3"]},
            "armsInterventionsModule": {
                "armGroups": [
                    {"label": "Care", "type": "EXPERIMENTAL", "description": f"Given {remedy}."},
                    {"label": "Usual"},
                ],
                "interventions": [{"type": "BEHAVIORAL", "name": remedy, "description": "Every day."}],
            },
            "outcomesModule": {
                "primaryOutcomes": [
                    {"measure": measure, "description": f"On scale {number}, \\>= 5 is good.", "timeFrame": f"{weeks} weeks"}
                ],
                "secondaryOutcomes": [{"measure": draw.choice(_MEASURES), "timeFrame": "1 year"}],
            },
            "eligibilityModule": {
                "eligibilityCriteria": f"Inclusion Criteria:\n\n* Age \\> 18 years\n* {illness}\n\n"
                "Exclusion Criteria:\n\n* None",
                "sex": "ALL",
            },
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": "2026-10-01"}},
        "hasResults": False,
    }


@dataclass
class Registry:
    """What the registry holds.

    The term ``ALL`` finds every study, as the expression syntax has it; any other finds a third of them, always the same
    ones; a condition those that name it, and a third.

    Attributes:
        studies: By number; change them to change what is served.
        token_lives: Requests that a token lives for; 0 is forever.
        hollow: Every so many pages one without studies comes in between; 0 is none.
        stamp: ``dataTimestamp``.
    """

    studies: dict[str, dict[str, Any]]
    token_lives: int = 0
    hollow: int = 0
    stamp: str = "2026-10-01T09:00:05"
    tokens: dict[str, tuple[dict[str, str], int, int]] = field(default_factory=dict)
    asked: int = 0

    @classmethod
    def of(cls, n: int, seed: int = 0, **settings: Any) -> "Registry":
        """A registry with so many studies."""
        made = (study(number, seed) for number in range(1, n + 1))
        return cls({one["protocolSection"]["identificationModule"]["nctId"]: one for one in made}, **settings)

    def answer(self, request: Request) -> Answer:
        """The interface."""
        self.asked += 1
        path = request.path.removeprefix(API)
        try:
            if path == "/version":
                return _json({"apiVersion": "2.0.5", "dataTimestamp": self.stamp})
            if path == "/studies":
                return _json(self._page(request.query))
            if found := self.studies.get(path.removeprefix("/studies/")):
                return _json(found)
        except _BadRequestError as error:
            return Answer(str(error).encode(), 400, {"Content-Type": "text/plain"})
        return Answer(b"NCT number not found", 404, {"Content-Type": "text/plain"})

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        if unknown := set(query) - _KNOWN:
            raise _BadRequestError(f"unknown parameter {min(unknown)}")
        size = min(int(query.get("pageSize") or 0) or 10, 1_000)
        search = {name: value for name, value in query.items() if name not in ("countTotal", "pageSize", "pageToken")}
        start, hollowed = self._place(query.get("pageToken"), search)
        found = self._found(search)
        modules = _modules(query.get("fields", ""))
        page: dict[str, Any] = {}
        if query.get("countTotal") == "true" and "pageToken" not in query:
            page["totalCount"] = len(found)
        is_hollow = self.hollow > 0 and start > 0 and not hollowed and start // size % self.hollow == 0
        end = start if is_hollow else start + size
        page["studies"] = [_cut(one, modules) for one in found[start:end]]
        if end < len(found):
            token = hashlib.sha256(f"{self.asked} {end}".encode()).hexdigest()[:16]
            self.tokens[token] = (search, end if not is_hollow else -end - 1, self.asked)
            page["nextPageToken"] = token
        return page

    def _place(self, token: str | None, search: dict[str, str]) -> tuple[int, bool]:
        """Where a page begins, and whether a hollow one stood there already."""
        if token is None:
            return 0, False
        before, end, given = self.tokens.get(token, ({}, 0, -1_000_000))
        if self.token_lives and self.asked - given > self.token_lives:
            raise _BadRequestError("pageToken has expired")
        if before != search:
            raise _BadRequestError("pageToken does not fit the other parameters")
        return (end, False) if end >= 0 else (-end - 1, True)

    def _found(self, search: Mapping[str, str]) -> list[dict[str, Any]]:
        found = [one for one in self.studies.values() if _satisfies(one, search)]
        order = [part for part in re.split("[,|]", search.get("sort", "")) if part]
        if len(order) > 2:
            raise _BadRequestError("sort takes 2 items at most")
        found.sort(key=lambda one: _place(_number(one)))
        for part in reversed(order):
            name, _, direction = part.partition(":")
            if name not in _DATES:
                raise _BadRequestError(f"cannot sort by {name}")
            dated = sorted((one for one in found if _date(one, name)), key=lambda one: _date(one, name))
            if direction != "asc":
                dated.reverse()
            found = dated + [one for one in found if not _date(one, name)]
        return found


@contextmanager
def serve(n: int, seed: int = 0) -> Iterator[Replica]:
    """Run a registry with so many studies; its interface is at ``url`` + :data:`API`."""
    with replica(Registry.of(n, seed).answer) as running:
        yield running


class _BadRequestError(Exception):
    """Status 400."""


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


@cache
def _place(number: str) -> bytes:
    """Where a study stands, in no order that means anything."""
    return hashlib.md5(number.encode(), usedforsecurity=False).digest()


def _number(one: Mapping[str, Any]) -> str:
    return str(one["protocolSection"]["identificationModule"]["nctId"])


def _date(one: Mapping[str, Any], name: str) -> str:
    return str(one["protocolSection"]["statusModule"].get(_DATES[name], {}).get("date", ""))


def _modules(fields: str) -> frozenset[str]:
    names = [name for name in re.split("[,|]", fields) if name]
    if unknown := set(names) - {f"{name}Module" for name in _MODULES}:
        raise _BadRequestError(f"unknown field {min(unknown)}")
    return frozenset(name[0].lower() + name[1:] for name in names)


def _cut(one: dict[str, Any], modules: frozenset[str]) -> dict[str, Any]:
    if not modules or "protocolSection" not in one:
        return one
    return {"protocolSection": {name: value for name, value in one["protocolSection"].items() if name in modules}}


def _satisfies(one: Mapping[str, Any], search: Mapping[str, str]) -> bool:
    number = _number(one)
    if (ids := search.get("filter.ids")) and number not in re.split("[,|]", ids):
        return False
    if (term := search.get("query.term")) and not _is_drawn(term, number):
        return False
    condition = search.get("query.cond", "").casefold()
    named = [c.casefold() for c in one["protocolSection"].get("conditionsModule", {}).get("conditions", [])]
    if condition and condition not in named and not _is_drawn(condition, number):
        return False
    return _holds(search.get("filter.advanced", ""), one)


def _is_drawn(term: str, number: str) -> bool:
    return term == "ALL" or hashlib.sha256(f"{term} {number}".encode()).digest()[0] % 3 == 0


def _holds(expression: str, one: Mapping[str, Any]) -> bool:
    """Whether a study satisfies an expression of AND, OR, brackets, ranges of dates, and MISSING."""
    if not expression:
        return True
    for word, joined in ((" AND ", all), (" OR ", any)):
        if len(parts := _split(expression, word)) > 1:
            return joined(_holds(part, one) for part in parts)
    if expression.startswith("(") and expression.endswith(")"):
        return _holds(expression[1:-1], one)
    if found := re.fullmatch(r"AREA\[(\w+)\](?:RANGE\[(MIN|[\d-]{10}),(MAX|[\d-]{10})\]|(MISSING))", expression):
        name, first, last, missing = found.groups()
        if name in _DATES:
            day = _date(one, name)
            return not day if missing else bool(day) and first.replace("MIN", "") <= day <= last.replace("MAX", "9")
    if found := re.fullmatch(r"AREA\[StudyType\](\w+)", expression):
        return str(one["protocolSection"]["designModule"]["studyType"]) == found[1]
    raise _BadRequestError("filter.advanced cannot be understood")


def _split(expression: str, word: str) -> list[str]:
    """The parts of an expression between a word that stands outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(expression):
        depth += (character == "(") - (character == ")")
        if depth == 0 and expression.startswith(word, at):
            parts.append(expression[start:at])
            start = at + len(word)
    return [*parts, expression[start:]]
