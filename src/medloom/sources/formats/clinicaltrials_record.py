"""A record of ClinicalTrials.gov as a document."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.table import text_of
from medloom.text import clean
from medloom.text.normalise import one_line

SectionName = Literal[
    "brief summary",
    "detailed description",
    "conditions",
    "arms and interventions",
    "primary outcomes",
    "secondary outcomes",
    "eligibility criteria",
]
MODULES: dict[str, tuple[SectionName, ...]] = {
    "identificationModule": (),
    "statusModule": (),
    "descriptionModule": ("brief summary", "detailed description"),
    "conditionsModule": (),
    "designModule": (),
    "armsInterventionsModule": ("arms and interventions",),
    "outcomesModule": ("primary outcomes", "secondary outcomes"),
    "eligibilityModule": ("eligibility criteria",),
}
"""The modules of a record that are read: always, or for the sections named."""

_TITLES = ("officialTitle", "official_title", "title", "briefTitle", "brief_title")
_FIELDS: dict[SectionName, tuple[str, str]] = {
    "brief summary": ("briefSummary", "brief_summary"),
    "detailed description": ("detailedDescription", "detailed_description"),
    "primary outcomes": ("primaryOutcomes", "primary_outcomes"),
    "secondary outcomes": ("secondaryOutcomes", "secondary_outcomes"),
    "eligibility criteria": ("eligibilityCriteria", "eligibility_criteria"),
}
_FACTS = (
    ("status", "overallStatus"),
    ("phase", "phases"),
    ("study_type", "studyType"),
    ("brief_title", "briefTitle"),
    ("acronym", "acronym"),
    ("condition", "conditions"),
    ("keyword", "keywords"),
)
_STUDY = "https://clinicaltrials.gov/study/"
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_CRITERIA = re.compile(
    r"^[\W_]*(?:key |main |major |general )?(inclusion|exclusion) criteria[*_ \t]*(?::[*_]*|$)", re.IGNORECASE | re.MULTILINE
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def document_of(
    record: Mapping[str, Any], source: str, sections: Sequence[SectionName], where: str, markdown: bool
) -> Document:
    r"""A record with its modules, or with the same fields on one level, as a document.

    Its id is the NCT number, or empty; its revision is the day of its last update.

    Args:
        record: The record.
        source: Name of the source.
        sections: Which to give; their order is that of the record.
        where: Where it stands, for errors.
        markdown: Whether its texts are in the registry's Markdown: ``\>`` then stands for ``>``.

    Raises:
        RowError: It has no title, or a field holds something else than it should.
    """
    fields = _flat(record, where)
    parts = [part for name in _ordered(sections) for part in _section(name, fields, where)]
    title = text_of(fields, _TITLES, where, required=True)
    nested = "protocolSection" in record
    return Document(
        id=text_of(fields, ("nctId", "nct_id"), where),
        source=source,
        title=_unescaped(title) if markdown else title,
        sections=tuple(Section(s.heading, _unescaped(s.text)) for s in parts) if markdown else tuple(parts),
        revision=_day(fields, "lastUpdatePostDateStruct") if nested else "",
        metadata=tuple(_facts(fields, title)) if nested else (),
    )


def first_posted(record: Any) -> str:  # noqa: ANN401
    """Day on which a record was first posted, which never changes; empty if it does not say."""
    protocol = record.get("protocolSection") if isinstance(record, dict) else None
    status = protocol.get("statusModule") if isinstance(protocol, dict) else None
    return _day(status, "studyFirstPostDateStruct") if isinstance(status, dict) else ""


def fields_wanted(sections: Sequence[SectionName]) -> str:
    """What to ask the service for: names of modules, with commas between them."""
    wanted = [name for name, of in MODULES.items() if not of or set(of) & set(sections)]
    return ",".join(name[0].upper() + name[1:] for name in wanted)


def _ordered(sections: Iterable[SectionName]) -> list[SectionName]:
    order: tuple[SectionName, ...] = SectionName.__args__  # type: ignore[attr-defined]
    return [name for name in order if name in set(sections)]


def _flat(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of the modules on one level."""
    protocol = record.get("protocolSection")
    if protocol is None:
        return dict(record)
    if not isinstance(protocol, dict):
        raise RowError(where, "field 'protocolSection' must be an object of modules")
    modules = [protocol.get(name) for name in MODULES]
    return {name: value for module in modules if isinstance(module, dict) for name, value in module.items()}


def _section(name: SectionName, fields: dict[str, Any], where: str) -> list[Section]:
    if name == "conditions":
        text = "\n".join(_texts(fields.get("conditions")))
    elif name == "arms and interventions":
        text = _arms(fields, where)
    elif name in ("primary outcomes", "secondary outcomes"):
        text = _outcomes(fields, _FIELDS[name], where)
    else:
        text = text_of(fields, _FIELDS[name], where)
    if name == "eligibility criteria":
        return _criteria(text)
    return [Section(name, text)] if text else []


def _outcomes(fields: dict[str, Any], names: Sequence[str], where: str) -> str:
    """Measure and description of each outcome, a line each; time frames are left out."""
    value = next((fields[name] for name in names if fields.get(name) is not None), None)
    if value is None or isinstance(value, str):
        return text_of(fields, names, where)
    lines = []
    for one in _objects(value, f"{names[1].replace('_', ' ')} must be text or a list of {{measure, description}}", where):
        parts = ((name, text_of(one, (name,), where)) for name in ("measure", "description"))
        lines.append(" ".join(f"{name}: {text}" for name, text in parts if text))
    return "\n".join(line for line in lines if line)


def _arms(fields: dict[str, Any], where: str) -> str:
    """Each arm and each intervention with its description, a line each."""
    lines = []
    for field, name in (("armGroups", "label"), ("interventions", "name")):
        for one in _objects(fields.get(field) or [], f"{field} must be a list of {{{name}, description}}", where):
            parts = (one_line(text_of(one, (part,), where)) for part in (name, "description"))
            lines.append(": ".join(part for part in parts if part))
    return "\n".join(line for line in lines if line)


def _objects(value: Any, problem: str, where: str) -> list[dict[str, Any]]:  # noqa: ANN401
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise RowError(where, f"the field of {problem}")
    return value


def _criteria(text: str) -> list[Section]:
    """Inclusion and exclusion criteria, where the text has one heading for each; else all under one heading."""
    if not text:
        return []
    found = list(_CRITERIA.finditer(text))
    if [match[1].lower() for match in found] != ["inclusion", "exclusion"] or text[: found[0].start()].strip():
        return [Section("eligibility criteria", text)]
    parts = (text[found[0].end() : found[1].start()], text[found[1].end() :])
    named = zip(("inclusion criteria", "exclusion criteria"), map(clean, parts), strict=True)
    return [Section(heading, part) for heading, part in named if part]


def _facts(fields: dict[str, Any], title: str) -> Iterable[tuple[str, str]]:
    """What is known of a study, as far as its record says it."""
    if first := _day(fields, "studyFirstPostDateStruct"):
        yield "date", first
    if last := _day(fields, "lastUpdatePostDateStruct"):
        yield "updated", last
    for name, field in _FACTS:
        for text in _texts(fields.get(field)):
            if (name, text) != ("brief_title", title):
                yield name, text
    for number in _texts(fields.get("nctId")):
        yield "url", _STUDY + number


def _texts(value: Any) -> list[str]:  # noqa: ANN401
    """The texts of a field that holds one or a list of them."""
    values = value if isinstance(value, list) else [value]
    texts = (one_line(_SURROGATE.sub("", clean(one))) for one in values if isinstance(one, str))
    return [text for text in texts if text]


def _day(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return next(iter(_texts(value.get("date"))), "") if isinstance(value, dict) else ""


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
