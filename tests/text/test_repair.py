"""Repair of text: what is put right, and what is never touched."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.text.repair import repair


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("5 Âµg at 37 Â°C, Â± 2", "5 µg at 37 °C, ± 2"),
        ("the patientâ€™s â€œgoodâ€\x9d ear", "the patient’s “good” ear"),
        ("â‰¥ 5 of Î±-fetoprotein", "≥ 5 of α-fetoprotein"),
        ("MÃ©niÃ¨re and SjÃ¶gren", "Ménière and Sjögren"),
        ("p &lt; 0.05 &amp; n &gt; 3, &#946; and &#x3b1;", "p < 0.05 & n > 3, β and α"),
        ("&amp;lt; 5", "< 5"),
        ("p <0.05 and n &gt; 3", "p <0.05 and n > 3"),
        ("in\ufb02ammation, \ufb01brosis", "inflammation, fibrosis"),
        ("e\u0301tude", "étude"),
        ("A\u00a0B\u2009C\u3000D", "A B C D"),
        ("fe\u200bver \ufeffand\u2060 cough", "fever and cough"),
        ("hyper\u00adtension and hypo\u00ad\n  tension", "hypertension and hypotension"),
        ("fe\u200dver \u202acough\u202c", "fever cough"),
        ("a\x00b \x1b[31mred\x1b[0m\x07", "ab red"),
        ("one\r\ntwo\rthree\x0cfour\u2028five", "one\ntwo\nthree\nfour\nfive"),
        ("ＢＭＩ２５％", "BMI25%"),
        ("mean \uf0b1 SD, \uf061 = 5 \uf06dg", "mean ± SD, α = 5 μg"),
        ("x\ud83d\ude00", "x😀"),
        ("  one  two \t\n\n\n\n three   four\t\n", "one two\n\n three four"),
        ("seen   by Dr. Moe.  Well.", "seen by Dr. Moe. Well."),
        (" \n\t ", ""),
    ],
)
def test_what_is_put_right(broken: str, whole: str) -> None:
    assert repair(broken) == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A dry cough for two weeks; 5 mg b.i.d. (see p. 3) & rest.",
        "5 µg/mL, 37 °C ± 2, 10³ and 10⁹/L, CO₂, ½ tablet, Na⁺, ×3, ≥ 5, ‰, α β γ Ω, 3–5 — “quoted” ‘so’ …",
        "Ménière, Sjögren, Guillain-Barré, naïve, Å 10 Å",
        "Пациент поступил с болью",
        "患者因胸痛入院，既往有高血压。",
        "می\u200cخواهم",
        "\u05d0\u200f(1)",
        "AT&T and R&D; Q&A;",
        "<p>a &lt; b</p>",
        "Plan:\n  - rest\n  - fluids\n\nLabs:\tNa 138\tK 4.1",
    ],
)
def test_what_is_left_as_it_is(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("The treat-\nment was changed.", "The treatment was changed."),
        ("hyper-\n  tension; hypertension is common", "hypertension; hypertension is common"),
        ("a beta-\nblocker, then no beta-blocker", "a beta-blocker, then no beta-blocker"),
        ("a well-\nknown sign", "a well-\nknown sign"),
        ("a follow-\nup", "a follow-\nup"),
        ("ages 5-\n10 and T-\ncell", "ages 5-\n10 and T-\ncell"),
        ("Meds:\n-\naspirin", "Meds:\n-\naspirin"),
        ("Moe-\nMent came", "Moe-\nMent came"),
    ],
)
def test_torn_words_are_joined_where_that_is_safe(broken: str, whole: str) -> None:
    assert repair(broken) == whole


@given(
    st.text(alphabet=st.sampled_from("aé \n\t-&;#39ltgÂÃ©°µ\u00a0\u00ad\u200b\u200d\u0301\x85\ud800ﬁ＋tion"), max_size=60)
)
def test_a_repaired_text_needs_no_repair(text: str) -> None:
    fixed = repair(text)
    assert repair(fixed) == fixed
    assert fixed == fixed.strip()
    fixed.encode()


def test_clean_text_loads_no_library() -> None:
    script = (
        "import sys; from medloom.text.repair import repair; import medloom.text.language\n"
        "for t in ('A cough.', 'At 37 °C ± 2.'): assert repair(t) == t\n"
        "assert not {'ftfy', 'py3langid', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(
    "unit", [" ", "\t", "\n", "-\n", "a-\nb", "&", "&a", "&lt;", "<", "<a", "\u00ad", "Ã", "\x1b[", "\u200d"]
)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "a" + unit * (size // len(unit)) + "b"
        start = time.process_time()
        repair(text)
        return time.process_time() - start

    short = max(min(seconds(5_000) for _ in range(2)), 0.005)
    assert min(seconds(40_000) for _ in range(2)) < 24 * short
