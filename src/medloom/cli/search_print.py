"""How answers and judgements of a search look in a terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from medloom.search.answer import Answer
    from medloom.search.evaluate import Report, Score
    from medloom.search.records import Hit

_AROUND = 160
_LONGEST = 480
_NAMES = {"ndcg_at_10": "nDCG@10", "recall_at_100": "recall@100", "mrr_at_10": "MRR@10"}


def print_answer(answer: "Answer") -> None:
    """Title, source and date of each result, its text around the evidence, and how it came about."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for one in answer.expanded:
        console.print(Text(f"added for {one.term}: {', '.join(one.added)} ({one.source})", "dim"), soft_wrap=True)
    for rank, hit in enumerate(answer.hits, start=1):
        chunk = hit.chunk
        console.print(Text.assemble(f"{rank:>2}. ", (chunk.title or chunk.doc_id, "bold")), soft_wrap=True)
        facts = dict(reversed(chunk.facts))
        about = (chunk.heading, f"{chunk.source} {chunk.doc_id}", facts.get("date", ""), facts.get("url", ""), _further(hit))
        console.print(Text(f"    {' · '.join(part for part in about if part)}", "dim"), soft_wrap=True)
        console.print(_shown(hit), soft_wrap=True)
        if hit.parts:
            console.print(Text(f"    {_parts(hit.score, hit.parts)} · chunk {chunk.id}", "cyan"), soft_wrap=True)
    steps = ", ".join(f"{name} {seconds * 1_000:.0f}" for name, seconds in answer.parts.items())
    found = f"{len(answer.hits)} results" if answer.hits else "nothing found"
    milliseconds = f"{answer.seconds * 1_000:.0f} ms"
    console.print(Text(f"{found}, {milliseconds}{f' ({steps})' if steps and answer.hits else ''}", "dim"), soft_wrap=True)


def print_report(report: "Report") -> None:
    """A table of the systems, and one of their differences."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    learnt = f", weights learnt on {report.dev_queries:,} others" if report.dev_queries else ""
    console.print(f"{report.queries:,} queries{learnt}, {report.seconds:.0f} s", markup=False, soft_wrap=True)
    if report.weights:
        weights = ", ".join(f"{way} {weight:g}" for way, weight in report.weights.items())
        console.print(f"fused-weighted: {weights}", markup=False, soft_wrap=True)
    if report.missing:
        console.print(
            f"{report.missing:,} relevant documents are not in the index: they count as not found",
            markup=False,
            soft_wrap=True,
        )
    table = Table("system", *_NAMES.values(), box=None, header_style="bold")
    for system in report.systems:
        table.add_row(system.name, *(_score(system.scores[metric]) for metric in _NAMES))
    console.print(table)
    table = Table("nDCG@10", "difference", "95% interval", "p (Holm)", box=None, header_style="bold")
    for one in report.differences:
        table.add_row(
            f"{one.one} - {one.other}", f"{one.difference:+.4f}", f"[{one.low:+.4f}, {one.high:+.4f}]", f"{one.p:.4f}"
        )
    console.print(table)


def _shown(hit: "Hit") -> "Text":
    """The chunk's text around its evidence, which is marked."""
    from rich.text import Text

    text = hit.chunk.text
    start, end = hit.evidence or (0, 0)
    end = min(end, start + _LONGEST)
    first = max(0, start - _AROUND)
    last = min(len(text), max(end + _AROUND, first + _LONGEST // 2))
    shown = Text("    ").append("… " if first else "")
    shown.append(_flat(text[first:start])).append(_flat(text[start:end]), "bold yellow").append(_flat(text[end:last]))
    return shown.append(" …" if last < len(text) else "")


def _flat(text: str) -> str:
    """White space as blanks, one character for one."""
    return "".join(" " if c.isspace() else c for c in text)


def _parts(score: float, parts: Mapping[str, tuple[int, float]]) -> str:
    return " · ".join([f"score {score:.4f}", *(f"{way} #{rank} {value:.4f}" for way, (rank, value) in parts.items())])


def _further(hit: "Hit") -> str:
    return f"{hit.further} more of this document" if hit.further else ""


def _score(score: "Score") -> str:
    return f"{score.score:.4f} [{score.low:.4f}, {score.high:.4f}]"
