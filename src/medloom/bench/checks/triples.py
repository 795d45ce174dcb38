"""Anchor, right and wrong text: every combination of wordings, and a balanced draw from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from medloom.bench.checks.contrasts import Contrast
from medloom.bench.checks.lexicon import Kind, Side, fill
from medloom.identity import text_hash

Near = Literal["anchor", "right", "neither"]
NEAR: tuple[Near, ...] = ("anchor", "right", "neither")
SIDES: tuple[Side, ...] = (0, 1)
_PER_CELL = 42
_Frames = tuple[str, str, str]


@dataclass(frozen=True)
class Triple:
    """One minimal pair with its anchor.

    Attributes:
        anchor: What both texts are compared with.
        right: Another wording of the anchor's meaning.
        wrong: The other meaning.
        group: Concept that the anchor is about.
        near: What the wrong text is worded like.
        side: Which of the two meanings the anchor has.
    """

    anchor: str
    right: str
    wrong: str
    group: str
    near: Near
    side: Side


def count(kind: Kind, contrasts: Sequence[Contrast]) -> int:
    """Number of triples that could be drawn."""
    return len(SIDES) * len(contrasts) * sum(len(_frames(kind, near)) for near in NEAR)


def draw(name: str, kind: Kind, contrasts: Sequence[Contrast], seed: int, per_cell: int = _PER_CELL) -> list[Triple]:
    """Draw triples of one kind, as many for each way of wording the wrong text and each meaning of the anchor.

    The wrong text is worded like the anchor in a third of the triples (more words in common with it than the right text
    has), like the right text in a third (the two differ in what matters alone), and like neither in a third. As each meaning
    is the anchor's in half of them, no rule about the right text by itself (longer, with a "no", ...) can do better than
    chance. Concepts are drawn evenly. A draw depends on the seed and on the candidates, not on their order.

    Args:
        name: The kind's name; kinds are drawn apart.
        kind: Its wordings.
        contrasts: What it tells apart.
        seed: Of the draw.
        per_cell: Triples of each of the six cells; fewer where there are not so many.
    """
    drawn: dict[tuple[str, str, str], Triple] = {}
    for near in NEAR:
        for side in SIDES:
            wanted = len(drawn) + per_cell
            for triple in _ordered(kind, contrasts, near, side, f"{seed}|{name}|{near}|{side}"):
                if len(drawn) == wanted:
                    break
                drawn.setdefault((triple.anchor, triple.right, triple.wrong), triple)
    return list(drawn.values())


def _ordered(kind: Kind, contrasts: Sequence[Contrast], near: Near, side: Side, salt: str) -> Iterator[Triple]:
    """All triples of a cell: one of each concept, then another of each, ..., in an order set by the salt."""
    frames = _frames(kind, near)
    by_concept: dict[str, list[Contrast]] = {}
    for contrast in sorted(contrasts, key=lambda c: text_hash(f"{salt}|{c.key}")):
        by_concept.setdefault(contrast.meanings[side].concept, []).append(contrast)
    concepts = sorted(by_concept, key=lambda concept: text_hash(f"{salt}|{concept}"))
    for turn in range(len(frames) * max(map(len, by_concept.values()))):
        for concept in concepts:
            if turn < len(frames) * len(by_concept[concept]):
                turns, number = divmod(turn, len(by_concept[concept]))
                contrast = by_concept[concept][number]
                yield _triple(contrast, _nth(frames, turns, f"{salt}|{contrast.key}"), near, side)


def _nth(frames: list[_Frames], n: int, salt: str) -> _Frames:
    return sorted(frames, key=lambda three: text_hash(f"{salt}|{three}"))[n]


def _triple(contrast: Contrast, frames: _Frames, near: Near, side: Side) -> Triple:
    other: Side = 0 if side else 1
    meant, not_meant = contrast.meanings[side], contrast.meanings[other]
    anchor, right, wrong = frames
    return Triple(
        anchor=fill(anchor, side, meant.slots),
        right=fill(right, side, meant.slots),
        wrong=fill(wrong, other, not_meant.slots),
        group=meant.concept,
        near=near,
        side=side,
    )


def _frames(kind: Kind, near: Near) -> list[_Frames]:
    """Frames of anchor, right and wrong text; anchor and right text are of two forms."""
    pairs = [(a, b) for (one, a), (two, b) in permutations(kind.wordings, 2) if one != two]
    if near == "neither":
        return [(a, b, c) for a, b in pairs for _, c in kind.wordings if c not in (a, b)]
    return [(a, b, a if near == "anchor" else b) for a, b in pairs]
