"""Splits that tear no concept apart.

Documents go to a side by group (concept, patient, trial, focus), and groups that share an equal text, in whatever source,
go together. Not so a section that is the smaller part of its document ("Home", "Pneumonia", a hospital's standing advice),
nor a text that very many groups hold: else all notes of a hospital would be on one side. What such texts give away is for
the comparison of texts to find. A group's side depends on the seed and on its members alone, never on the order of the
documents.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from medloom.guard.hashes import Hashes, Places, hash_of, hashes_of, is_in
from medloom.records import Document
from medloom.text import text_key

_UNIT = 1 << 64
_BATCH = 2_000
_SHORT = 13
_NONE: Hashes = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class Keys:
    """What a split needs to know of some documents.

    Attributes:
        groups: The split key of each document, UTF-8 (half surrogates included).
        hashes: A hash for each of these.
        texts: A hash for every text of the documents that ties it to others with that text.
        owners: Number of the document, from 0, that each text is of.
        minor: A hash for every section that is the smaller part of its document.
        minor_owners: Number of the document that each of these is of.
        label: Whether each of these is short: what several documents say in so few words, none says of its own.
    """

    groups: list[bytes]
    hashes: Hashes
    texts: Hashes
    owners: Places
    minor: Hashes
    minor_owners: Places
    label: npt.NDArray[np.bool_]


def keys_of(documents: Sequence[Document], short: int = _SHORT) -> Keys:
    """Read off documents what a split needs; this part of the work can be done anywhere.

    Args:
        documents: Some documents.
        short: A section of fewer words is a label.
    """
    groups = [document.split_key for document in documents]
    texts, minor, lengths = [], [], []
    for number, document in enumerate(documents):
        sections = [(key, key.count(" ") + 1) for key in (text_key(section.text) for section in document.sections) if key]
        whole = sum(length for _, length in sections)
        own = {text_key(text) for text in (*document.names(), document.text)}
        own |= {key for key, length in sections if 2 * length >= whole}
        rest = {key: length for key, length in sections if key not in own}
        texts += [(number, key) for key in own if key]
        minor += [(number, key) for key in rest]
        lengths += list(rest.values())
    return Keys(
        [group.encode("utf-8", "surrogatepass") for group in groups],
        hashes_of(groups),
        hashes_of(key for _, key in texts),
        np.array([number for number, _ in texts], dtype=np.int64),
        hashes_of(key for _, key in minor),
        np.array([number for number, _ in minor], dtype=np.int64),
        np.array(lengths, dtype=np.int64) < short,
    )


def split_sides(documents: Iterable[Document], holdout: float, seed: int) -> tuple[dict[str, bool], int]:
    """Which groups are held out.

    Args:
        documents: All documents of all sources; consumed once, none is kept.
        holdout: Share of the groups to hold out, 0 to 1.
        seed: The recipe's seed.

    Returns:
        For each :attr:`Document.split_key` whether it is held out, and the size in documents of the largest set of groups
        that equal texts tie together (a large one makes the share uneven).
    """
    rows = iter(documents)
    parts = list(map(keys_of, iter(lambda: list(islice(rows, _BATCH)), [])))
    held, largest = split_documents(parts, holdout, seed)
    groups = (group.decode("utf-8", "surrogatepass") for part in parts for group in part.groups)
    return dict(zip(groups, held.tolist(), strict=True)), largest


def common_texts(parts: Sequence[Keys], most: int) -> Hashes:
    """Sorted hashes of the texts that more than ``most`` groups hold: they are nobody's.

    Args:
        parts: What is known of the documents.
        most: How many groups may share a text before it is nobody's.
    """
    texts = [hashes for part in parts for hashes in (part.texts, part.minor)]
    groups = [part.hashes[owners] for part in parts for owners in (part.owners, part.minor_owners)]
    return _held_by_more(texts, groups, most)


def shared_labels(parts: Sequence[Keys]) -> Hashes:
    """Sorted hashes of the short sections that several groups hold, and that are no name or text of a document."""
    labels = [part.minor[part.label] for part in parts]
    groups = [part.hashes[part.minor_owners[part.label]] for part in parts]
    owned = np.concatenate([_NONE, *(part.texts for part in parts)])
    return np.setdiff1d(_held_by_more(labels, groups, 1), owned)


def split_documents(
    parts: Sequence[Keys],
    holdout: float,
    seed: int,
    ties: tuple[Places, Places] | None = None,
    common: Hashes | None = None,
) -> tuple[npt.NDArray[np.bool_], int]:
    """Which documents are held out.

    Memory: some 100 bytes a document and 16 a text.

    Args:
        parts: What is known of the documents, in order.
        holdout: Share of the groups to hold out, 0 to 1.
        seed: The recipe's seed.
        ties: Numbers of documents that must stay together, pair by pair, beyond equal groups and equal texts.
        common: Sorted hashes of texts that tie nothing together.

    Returns:
        For each document whether it is held out, and the size in documents of the largest set that is tied together.
    """
    if not parts:
        return np.zeros(0, dtype=bool), 0
    group = np.unique(np.concatenate([part.hashes for part in parts]), return_inverse=True)[1]
    firsts, seconds = _equal_texts(parts, _NONE if common is None else common)
    if ties is not None:
        firsts, seconds = np.concatenate((firsts, ties[0])), np.concatenate((seconds, ties[1]))
    tied = joined(group[firsts], group[seconds], int(group.max(initial=-1)) + 1)[group]
    names = _smallest(chain.from_iterable(part.groups for part in parts), tied)
    sides = np.array([_draw(name, seed) < holdout * _UNIT for name in names], dtype=bool)
    return sides[tied], int(np.bincount(tied).max(initial=0))


def texts_of(document: Document) -> Iterator[str]:
    """Every text of a document that a pair or a task could show."""
    yield from document.names()
    if document.text:
        yield document.text
    for section in document.sections:
        yield section.text


def _equal_texts(parts: Sequence[Keys], common: Hashes) -> tuple[Places, Places]:
    """Pairs of documents that have a text in common, which is not one of nobody's: each with the next one that has it."""
    starts = np.cumsum([0, *(len(part.groups) for part in parts)])
    texts = np.concatenate([part.texts for part in parts])
    owners = np.concatenate([part.owners + start for part, start in zip(parts, starts, strict=False)])
    somebodys = ~is_in(texts, common)
    texts, owners = texts[somebodys], owners[somebodys]
    order = np.argsort(texts, kind="stable")
    texts, owners = texts[order], owners[order]
    same = texts[1:] == texts[:-1]
    return owners[:-1][same], owners[1:][same]


def _held_by_more(texts: Sequence[Hashes], groups: Sequence[Hashes], most: int) -> Hashes:
    """Of texts and the groups that hold them, those that more than so many groups hold, sorted."""
    all_texts = np.concatenate([_NONE, *texts])
    all_groups = np.concatenate([_NONE, *groups])
    order = np.lexsort((all_groups, all_texts))
    all_texts, all_groups = all_texts[order], all_groups[order]
    first = np.ones(len(all_texts), dtype=bool)
    first[1:] = (all_texts[1:] != all_texts[:-1]) | (all_groups[1:] != all_groups[:-1])
    found, holders = np.unique(all_texts[first], return_counts=True)
    return np.asarray(found[holders > most])


def joined(firsts: Places, seconds: Places, count: int) -> Places:
    """For each of so many things the number of the set that pairs of them join it to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = coo_array((np.ones(len(firsts), dtype=bool), (firsts, seconds)), shape=(count, count))
    sets: Places = connected_components(pairs, directed=False)[1].astype(np.int64)
    return sets


def _smallest(groups: Iterable[bytes], sets: Places) -> list[bytes]:
    """The smallest key of each set: it names the set whatever the order of the documents."""
    names: list[bytes | None] = [None] * (int(sets.max(initial=-1)) + 1)
    for group, place in zip(groups, sets.tolist(), strict=True):
        name = names[place]
        if name is None or group < name:
            names[place] = group
    return [name for name in names if name is not None]


def _draw(name: bytes, seed: int) -> int:
    return hash_of(f"{seed}|{name.decode('utf-8', 'surrogatepass')}")
