"""Whole numbers and decades in English words."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DECADES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")


def in_words(number: int) -> str:
    """The number as it is read, such as ``two hundred twenty-five``.

    Raises:
        ValueError: It is below 0 or above 9,999.
    """
    if not 0 <= number < 10_000:
        raise ValueError("only whole numbers from 0 to 9,999 can be written in words")
    for size, name in ((1_000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return f"{in_words(number // size)} {name}{' ' + in_words(rest) if rest else ''}"
    if number < 20:
        return (*_DIGITS, *_TEENS)[number]
    return _TENS[number // 10 - 2] + (f"-{_DIGITS[number % 10]}" if number % 10 else "")


def decade(age: int) -> str:
    """Third of the decade that an age in years is in, such as ``late twenties``.

    Raises:
        ValueError: It is below 10 or above 99.
    """
    if not 10 <= age < 100:
        raise ValueError("only ages from 10 to 99 are in a decade with a name")
    part = "early" if age % 10 < 4 else "mid" if age % 10 < 7 else "late"
    return f"{part} {_DECADES[age // 10 - 1]}"
