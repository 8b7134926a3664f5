"""Whether a number is one that was published, to its last printed digit."""

import math
from fractions import Fraction

_DIGITS = 17  # that pandas reads of a number
_PASSES = 8  # more than any number was seen to take before it stays


def reread(number: float) -> float:
    """Return the double that pandas read where it had written `number` to a CSV file.

    Leaderboards grew by being read with pandas' read_csv and written again for each new model. Until version
    3 pandas did not read every double as the one it had written: digits were put together in double
    arithmetic (its precise_xstrtod), which rounds where they exceed 2**53, and again in the division. This
    does the same (it equals pandas 2.3.3 on 190,000 numbers). Numbers that are written with an exponent are
    returned as they are.
    """
    text = repr(float(number))
    if "e" in text or not math.isfinite(number):
        return number
    whole, _, decimals = text.removeprefix("-").partition(".")
    digits = (whole + decimals)[:_DIGITS]
    value = 0.0
    for digit in digits:
        value = value * 10.0 + int(digit)
    # repr has no exponent, so neither power of ten is beyond 22, up to which they are exact doubles
    value /= 10.0 ** (len(digits) - len(whole))
    return math.copysign(value, number)


def passes(ours: float, printed: str) -> int | None:
    """Return how often pandas read and wrote a number before it was printed so; None if it is another.

    0 is a number that is printed as it is: the same double or, where fewer digits are printed, one that lies
    within half a unit of the last of them.
    """
    if not math.isfinite(ours):
        return None
    decimals = len(printed.partition(".")[2]) if "e" not in printed.lower() else 0
    near = Fraction(1, 2 * 10**decimals) if decimals else Fraction(0)
    theirs = Fraction(printed)
    number = ours
    for count in range(_PASSES):
        if number == float(printed) or abs(Fraction(number) - theirs) <= near:
            return count
        number = reread(number)
    return None
