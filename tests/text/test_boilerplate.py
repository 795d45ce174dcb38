"""Boilerplate: what goes, and what of the author's own stays."""

import time

import pytest

from medloom.text.boilerplate import is_reference_tail, strip_boilerplate

CC_BY = (
    "This is an open access article distributed under the terms of the Creative Commons Attribution License, which permits "
    "unrestricted use, distribution, and reproduction in any medium, provided the original work is properly cited."
)


@pytest.mark.parametrize(
    ("notice", "rules"),
    [
        ("© 2020 Elsevier B.V. All rights reserved.", {"copyright"}),
        ("Copyright © 2019 The Authors. Published by Elsevier Inc. All rights reserved.", {"copyright"}),
        ("This article is protected by copyright. All rights reserved.", {"copyright"}),
        ("© 2021 The Author(s).", {"copyright"}),
        ("Copyright 2003 Wiley-Liss, Inc.", {"copyright"}),
        ("(c) 2016 APA, all rights reserved.", {"copyright"}),
        ("(PsycINFO Database Record (c) 2016 APA, all rights reserved).", {"copyright"}),
        ("© 2018 S. Karger AG, Basel.", {"copyright"}),
        ("© Georg Thieme Verlag KG Stuttgart · New York.", {"copyright"}),
        (
            "© The Author(s) 2020. Published by Oxford University Press. For permissions, please e-mail: a@b.org.",
            {"copyright"},
        ),
        ("Published 2012. This article is a U.S. Government work and is in the public domain in the USA.", {"copyright"}),
        (CC_BY, {"open_access"}),
        (f"© 2020 Wiley Periodicals LLC. {CC_BY}", {"copyright", "open_access"}),
        ("This is an open-access article published under the CC BY license.", {"open_access"}),
        (
            "Publisher's Note Springer Nature remains neutral with regard to jurisdictional claims in published maps and "
            "institutional affiliations.",
            {"publisher_note"},
        ),
    ],
)
def test_notices(notice: str, rules: set[str]) -> None:
    for text, left in (
        (f"Fever fell. {notice}", "Fever fell."),
        (f"Fever fell.\n{notice}", "Fever fell."),
        (f"{notice}\n\nFever fell.", "Fever fell."),
        (notice, ""),
    ):
        counts: dict[str, int] = {}
        assert strip_boilerplate(text, counts) == left
        assert set(counts) == rules


@pytest.mark.parametrize(
    "text",
    [
        "Fever fell. Trial registration: ClinicalTrials.gov NCT01234567.",
        "Fever fell. © 2021 The Authors. Trial registration: NCT01234567.",
        "Fever fell. © 2021 The Authors. TRIAL REGISTRATION: NCT01234567.",
        "Fever fell. © 2021 The Authors. Fever is common.",
        "Fever fell. © 2021 BMJ. KEY WORDS: FEVER",
        "Capsules were coated with Eudragit © L30D-55.",
        "We saw (a) 4 in 2009, (b) 5 in 2010 and (c) 2011 patients of ours.",
        "Published by others before, the method was adapted to children.",
        "All rights reserved seats were taken by patients.",
        "Copyright law and its effect on guidelines.",
        "We looked at open access journals. This is an open access clinic that sees walk-in patients.",
        "References to earlier notes:\nHe was well then.",
        "References\nHe was well then. She was not.",
        "Seen by ___ on page 2 of the chart.",
        "a -- b\n--\nc",
        "",
    ],
)
def test_the_authors_own_words_stay(text: str) -> None:
    counts: dict[str, int] = {}
    assert strip_boilerplate(text, counts) == text
    assert counts == {}


def test_a_registration_before_the_notice_stays() -> None:
    text = "Fever fell. TRIAL REGISTRATION: NCT01234567. © 2021 The Authors."
    assert strip_boilerplate(text) == "Fever fell. TRIAL REGISTRATION: NCT01234567."


@pytest.mark.parametrize(
    ("text", "left", "counts"),
    [
        ("[This corrects the article DOI: 10.1371/journal.pone.0123456.].", "", {"correction": 1}),
        ("[This corrects the article on p. 3 in vol. 5.]\nMore.", "More.", {"correction": 1}),
        ("Seen today.\nPage 2 of 5\n__________\nWell.\n=====\n", "Seen today.\nWell.", {"page_number": 1, "ruler": 2}),
        ("A\n\n- Page 3 -\n\nB", "A\n\nB", {"page_number": 1}),
        (
            "Asthma is a disease.\n\n== See also ==\nBronchitis\nCough\n\n== References ==\n\n== External links ==",
            "Asthma is a disease.",
            {"reference_tail": 3},
        ),
        (
            "Text.\n\n## References\n1. A title. 2001.\n[2] Another one.\n* https://example.org",
            "Text.",
            {"reference_tail": 1},
        ),
    ],
)
def test_lines_and_tails(text: str, left: str, counts: dict[str, int]) -> None:
    found: dict[str, int] = {}
    assert strip_boilerplate(text, found) == left
    assert found == counts


def test_headings_of_tails() -> None:
    assert all(map(is_reference_tail, ("See also", "REFERENCES", "== External links ==", "Further reading:")))
    assert not any(map(is_reference_tail, ("", "Reference range", "Treatment", "Notes")))


@pytest.mark.parametrize(
    "unit", ["© ", "© 2020 A. ", "All rights reserved. ", "References\n", "_", "____ \n", "Page ", "a:\n", "(c) 2001 "]
)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit)) + " fever."
        start = time.process_time()
        strip_boilerplate(text)
        return time.process_time() - start

    short = max(min(seconds(5_000) for _ in range(2)), 0.005)
    assert min(seconds(40_000) for _ in range(2)) < 24 * short
