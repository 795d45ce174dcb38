"""Whether patient text would reach a place it may not, known as soon as the documents are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from medloom.deid.gate import CLUSTER, PUBLISH, GateError, may_pass, refusal
from medloom.engine import Sharing, joined_cluster
from medloom.generate.chat import host_of
from medloom.recipe import Recipe
from medloom.records import Document

Open = dict[str, list[int]]
"""By source, how many documents that were not de-identified are marked as patient text, and how many are not marked."""


def count_open(documents: Iterable[Document], into: Open) -> Iterator[Document]:
    """Pass documents through, counting those that the gate may stop."""
    for document in documents:
        if not document.deidentified and document.contains_phi is not False:
            into.setdefault(document.source, [0, 0])[document.contains_phi is None] += 1
        yield document


def check_gate(recipe: Recipe, left_open: Mapping[str, Sequence[int]], stages: Sequence[str]) -> None:
    """Refuse, before hours of work, what a later stage would refuse.

    Args:
        recipe: What is run.
        left_open: As :func:`count_open` counts it, of the documents that later stages read.
        stages: Names of the stages that are to run.

    Raises:
        GateError: Text of a source may not go where the recipe sends it.
    """
    targets: list[tuple[str, str | None]] = []
    if "generate" in stages and recipe.generate and recipe.generate.model:
        targets.append(("generate", host_of(recipe.generate.model)))
    sections: dict[str, Sharing | None] = {"generate": recipe.generate, "guard": recipe.guard, "mine": recipe.negatives}
    targets += [
        (name, CLUSTER) for name, section in sections.items() if name in stages and section and joined_cluster(section)
    ]
    if "publish" in stages:
        targets.append(("publish", PUBLISH))
    for what, host in targets:
        for source, counts in left_open.items():
            if what == "generate" and recipe.generate and source not in (recipe.generate.sources or (source,)):
                continue
            for mark, n in zip((True, None), counts, strict=True):
                if n and not may_pass(Document("", source, contains_phi=mark), host, recipe.allow_phi_to):
                    raise GateError(refusal(source, mark, host, what))
