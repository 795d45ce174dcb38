"""Questions by template: what a passage says of a phrase, and what a document does not say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medloom.generate.sorts import Sort, is_plural

TREATMENT_CUES = re.compile(
    r"\b(?:treat(?:ed|ment|ing)?|therapy|start(?:ed)? (?:on|with)|underwent|prescri\w+|was given|were given|administ\w+|"
    r"received|surg\w+|operat\w+|medications?|\d+ ?mg|discharged (?:on|with|home)|follow[- ]?up|followed up|return to|"
    r"recommend\w*|continue|continued on|plan(?:ned)?(?: is| to| for)|resect\w+|repair\w*|inject\w+|managed|perform\w+|"
    r"excis\w+|\w+ectomy|\w+plasty|\w+ostomy|replace\w*|intubat\w+|transfus\w+|antibiotics?|increase|decrease|"
    r"refer(?:red)? to|will need|will be)\b",
    re.IGNORECASE,
)
"""What a sentence about treatment holds."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A family of questions.

    Attributes:
        sorts: What the main phrase must be.
        cue: What the passage must say; None for anything.
        sections: Common names of headings that it holds for; empty for any.
        templates: With ``{p}`` the main phrase, ``{q}`` a problem, ``{o}`` any other phrase; ``{was}`` and ``{is}`` agree
            with the main phrase, ``{wasq}`` with the problem.
    """

    sorts: tuple[Sort, ...]
    cue: re.Pattern[str] | None
    sections: tuple[str, ...]
    templates: tuple[str, ...]


def _cue(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})", re.IGNORECASE)


_SHOWS = _cue(
    "show|reveal|demonstrat|found|finding|suggest|consistent with|disclos|negative|positive|normal|unremarkable|within"
)
_TREATED = _cue(
    "treat|therap|started on|underwent|resect|prescri|manag|operat|surg|given|administ|received|repair|excis|inject"
)
_CAUSED = _cue("due to|secondary to|caused by|because of|as a result of|resulting from|attributed to|consequence")
_PRESENTS = _cue(
    "complain|present(?:s|ed|ing) (?:with|for|to)|reports|admitted (?:with|for)|symptom|suffer|experienc|developed"
)
_CONFIRMED = _cue(
    "diagnosed|diagnosis (?:of|was|is|made)|confirmed|consistent with|biops|histolog|patholog|criteria|suspected"
)
_DIAGNOSIS_HEAD = re.compile(r"DIAGNOS[EI]S")
_BECAUSE = _cue(
    "because|due to|for (?:the )?(?:treatment|management|evaluation|relief)|indicat|in order to|secondary to|owing"
)
_DOSE = _cue(r"\d+(?:\.\d+)? ?(?:mg|mcg|units?|ml|cc|g|puffs?|sprays?|percent|%)\b")
_EXAMINED = _cue("exam|auscultat|palpat|inspection|reflex|tender|on physical")
_BETTER = _cue("improv|resol|recover|well|discharg|better|uneventful|died|worse|deteriorat|remission")
_PLANNED = _cue("follow|return|appointment|recheck|weeks|will be seen|see me|refer")
_NONE: tuple[str, ...] = ()

QUESTIONS: tuple[Rule, ...] = (
    Rule(("problem",), None, ("family history",), ("Is there a family history of {p}?", "Who in the family had {p}?")),
    Rule(
        ("problem", "drug"), None, ("allergies",), ("Is there an allergy to {p}?", "What is known about an allergy to {p}?")
    ),
    Rule(
        ("test",),
        _SHOWS,
        _NONE,
        (
            "What did the {p} show in a patient with {q}?",
            "What were the findings on {p} in {q}?",
            "What was seen on the {p} of the patient with {q}?",
            "What were the results of the {p} done for {q}?",
        ),
    ),
    Rule(
        ("test",),
        _SHOWS,
        _NONE,
        ("What did the {p} show?", "What was seen on {p}?", "What were the findings on the {p}?"),
    ),
    Rule(
        ("procedure",),
        _DIAGNOSIS_HEAD,
        _NONE,
        (
            "Which procedure was done for {q}?",
            "What was the diagnosis before the {p}?",
            "What condition {was} the {p} done for?",
        ),
    ),
    Rule(
        ("problem",),
        _CAUSED,
        _NONE,
        ("What caused the {p}?", "What {was} the {p} due to?", "What led to the {p} in this setting of {q}?"),
    ),
    Rule(
        ("problem",),
        _TREATED,
        _NONE,
        (
            "How {was} the {p} treated?",
            "What was done about the {p}?",
            "How {was} the {p} managed in a patient who also had {q}?",
            "What treatment was given for {p}?",
        ),
    ),
    Rule(
        ("problem",),
        _CONFIRMED,
        _NONE,
        (
            "How {was} the {p} diagnosed?",
            "What supported the diagnosis of {p}?",
            "What findings pointed to {p}?",
        ),
    ),
    Rule(
        ("problem",),
        _PRESENTS,
        _NONE,
        (
            "How did the patient with {p} present?",
            "What symptoms came with the {p}?",
            "When did the {p} begin, and was there {q} as well?",
            "What is the history behind the {p}?",
        ),
    ),
    Rule(
        ("problem",),
        None,
        ("past medical history", "history of present illness"),
        (
            "Is there a history of {p}?",
            "What is the background of a patient with {p} and {q}?",
            "What history goes with the {p}?",
        ),
    ),
    Rule(
        ("problem",),
        None,
        ("imaging", "results", "laboratory"),
        ("What did the studies show about the {p}?", "Which results speak for {p}?", "What was found besides {p}?"),
    ),
    Rule(
        ("problem",),
        _EXAMINED,
        _NONE,
        ("What were the examination findings in a patient with {p}?", "What did the exam show regarding the {p}?"),
    ),
    Rule(
        ("problem",),
        None,
        ("assessment", "diagnosis", "plan"),
        (
            "What is the assessment of the {p}?",
            "What is the plan for a patient with {p} and {q}?",
            "What was concluded about the {p}?",
        ),
    ),
    Rule(
        ("procedure",),
        _BECAUSE,
        _NONE,
        ("Why {was} {p} done?", "What was the reason for the {p}?", "Why {was} {p} needed for {q}?"),
    ),
    Rule(
        ("procedure",),
        None,
        ("procedure", "results"),
        ("How {was} the {p} carried out?", "What was done during the {p}?", "How {was} the {p} done in a case of {q}?"),
    ),
    Rule(("drug",), _DOSE, _NONE, ("What dose of {p} was given?", "How much {p} was used for {q}?")),
    Rule(
        ("drug",),
        None,
        _NONE,
        ("Why {was} {p} used?", "{was} {p} given for {q}?", "What role did {p} play in the treatment?"),
    ),
    Rule(("procedure",), _BETTER, _NONE, ("What was the outcome after {p}?", "How did the patient do after the {p}?")),
    Rule(("procedure",), None, _NONE, ("When {was} {p} done, and for what?", "What is reported about the {p}?")),
    Rule(("other",), None, ("background",), ("What is known about {p} and {o}?", "Why study {p}?")),
    Rule(("other",), None, ("methods",), ("How were {p} and {o} studied?", "What methods were used to look at {p}?")),
    Rule(
        ("other",),
        None,
        ("conclusions",),
        ("What can be concluded about {p} and {o}?", "What does the study say about {p}?"),
    ),
    Rule(
        ("denied",),
        None,
        _NONE,
        ("{was} there any {p}?", "Did the patient have {p} or {o}?", "Is there any sign of {p} along with {q}?"),
    ),
    Rule(
        ("other",),
        _EXAMINED,
        _NONE,
        ("What did the examination show about the {p} and the {o}?", "Was anything abnormal about the {p}?"),
    ),
    Rule(
        ("other", "test", "problem"),
        None,
        _NONE,
        (
            "What is known about {p} in {q}?",
            "What is reported about {p} and {o}?",
            "How are {p} and {q} related?",
            "What is found in {q} with regard to {p}?",
        ),
    ),
)
"""Rules for ``question``, the most telling first."""

TREATMENTS: tuple[Rule, ...] = (
    Rule(
        ("procedure",),
        None,
        _NONE,
        ("{p} for {q}", "Which operation was done for {q}?", "{was} {p} done for {q}?", "Why {was} {p} chosen for {q}?"),
    ),
    Rule(
        ("drug",),
        None,
        _NONE,
        ("{p} for {q}", "{wasq} {q} treated with {p}?", "{is} {p} used for {q}?", "{p} treatment of {q}"),
    ),
    Rule(
        ("problem",),
        _PLANNED,
        ("follow-up", "discharge instructions", "plan", "hospital course"),
        ("What follow-up is planned for {p}?", "follow-up of {p}", "When should a patient with {p} be seen again?"),
    ),
    Rule(
        ("problem",),
        None,
        _NONE,
        (
            "How {was} the {p} treated?",
            "treatment of {p}",
            "management of {p} with {q}",
            "What is the treatment plan for {p}?",
        ),
    ),
    Rule(("drug",), _DOSE, _NONE, ("What dose of {p} was prescribed?", "{p} dosing")),
    Rule(
        ("procedure",),
        None,
        _NONE,
        ("How {was} the {p} performed?", "{p} with {o}", "steps of {p}", "What was used in the {p}?"),
    ),
    Rule(
        ("drug",),
        None,
        _NONE,
        ("treatment with {p} and {o}", "Was the patient put on {p}?", "Which drugs were given besides {p}?"),
    ),
    Rule(("other", "test"), _PLANNED, _NONE, ("What follow-up is planned regarding the {p}?", "plan for {p} and {o}")),
    Rule(("other",), None, ("plan", "medications", "discharge instructions"), ("treatment plan with {p} and {o}",)),
    Rule(("other",), None, ("procedure",), ("use of {p} during the operation", "operation involving {p} and {o}")),
)
"""Rules for ``treatment``."""

ABSENT: tuple[tuple[tuple[Sort, ...], re.Pattern[str], tuple[str, ...]], ...] = (
    (
        ("problem",),
        _cue("genetic|gene |genes|mutation|inherit|hereditary"),
        ("Was genetic testing done for {p}?", "{is} {p} inherited?"),
    ),
    (
        ("problem",),
        _cue("famil|mother|father|sibling|brother|sister|parent|heredit"),
        ("Is there a family history of {p}?",),
    ),
    (("problem",), _cue("prognos|surviv|life expectancy|mortality|outcome|died"), ("What is the prognosis of {p}?",)),
    (("problem",), _cue("vaccin|immuni[sz]|prevent|prophyla"), ("How can {p} be prevented?",)),
    (
        ("problem",),
        _cue("biops|histolog|histopath|patholog|cytolog|specimen"),
        ("What did the biopsy show in a patient with {p}?",),
    ),
    (("problem",), _cue("pregnan|gravid|obstet|prenatal|gestation"), ("How does {p} affect pregnancy?",)),
    (("problem",), _cue("diet|nutrition|food|eat|meal"), ("Which diet helps with {p}?",)),
    (("problem",), _cue("recur|relaps|return"), ("How often does {p} come back?",)),
    (("problem",), _cue("mri|magnetic"), ("What did the MRI show in a patient with {p}?",)),
    (
        ("problem",),
        _cue("exercis|rehab|physical therapy|physiotherapy|physical activity"),
        ("Which exercises help with {p}?",),
    ),
    (("procedure", "test"), _cue("complicat|bleed|infect|adverse"), ("What complications followed the {p}?",)),
    (("procedure",), _cue("recover|rehab|weeks|months|convalesc"), ("How long did recovery from the {p} take?",)),
    (("procedure",), _cue("an[a]?esth|sedat"), ("Which anesthesia was used for the {p}?",)),
    (("procedure", "test"), _cue("pregnan|gravid"), ("{is} {p} safe in pregnancy?",)),
    (("procedure", "test"), _cue("consent|risks"), ("What risks of the {p} were explained?",)),
    (("test",), _cue("repeat|recheck|again|second "), ("When should the {p} be repeated?",)),
    (("test",), _cue("contrast|gadolin|dye"), ("Was contrast used for the {p}?",)),
    (("drug",), _cue("side effect|adverse|reaction|toxic|tolerat"), ("What side effects did {p} cause?",)),
    (("drug",), _DOSE, ("What dose of {p} was given?",)),
    (("drug",), _cue("interact"), ("Which drugs interact with {p}?",)),
    (("drug",), _cue("pregnan|breast-?feed|lactat"), ("Can {p} be taken during pregnancy?",)),
    (("drug",), _cue("allerg"), ("Is there an allergy to {p}?",)),
    (
        ("problem",),
        _cue("child|pediatric|paediatric|infant|newborn|boy|girl|school"),
        ("What is different about {p} in children?",),
    ),
    (("other",), _cue("mri|magnetic"), ("What did an MRI show about the {p}?",)),
    (("other",), _cue("cultur|bacteri|infect"), ("Which bacteria grew from the {p}?",)),
    (("problem",), _cue("smok|tobacco|cigar"), ("How does smoking affect {p}?",)),
)
"""Questions that a document without the cue does not answer."""


def fits(rule: Rule, passage: str, section: str) -> bool:
    """Whether a rule may be asked of a passage under a heading with this common name."""
    if rule.sections and section not in rule.sections:
        return False
    return rule.cue is None or rule.cue.search(passage) is not None


def fill(templates: Sequence[str], first: str, second: str, other: str, draw: int) -> str | None:
    """One of the templates that need no more phrases than there are, filled in; None where none does.

    Args:
        templates: Of one rule.
        first: For ``{p}``.
        second: For ``{q}``, a problem; may be empty.
        other: For ``{o}``, any phrase; may be empty.
        draw: A number that the choice is made by.
    """
    usable = [t for t in templates if (second or "{q}" not in t) and (other or "{o}" not in t)]
    if not usable:
        return None
    text = usable[draw % len(usable)]
    was, are = ("were", "are") if is_plural(first) else ("was", "is")
    was_second = "were" if second and is_plural(second) else "was"
    filled = text.format(p=first, q=second, o=other, was=was, wasq=was_second, **{"is": are})
    return filled[0].upper() + filled[1:] if filled.endswith("?") else filled
