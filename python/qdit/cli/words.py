"""Command line arguments that are more than one word of a plain type."""

import re


def parse_shape(shape: str | list[int] | None) -> tuple[int, int] | None:
    """Return the numbers of text such as "20000,384" or "20000x384"."""
    if shape is None:
        return None
    parts = re.split(r"\s*[,x]\s*", shape.strip().strip("()[]")) if isinstance(shape, str) else shape
    try:
        n, d = (int(part) for part in parts)
    except ValueError:
        raise ValueError(f"shape: got {shape!r}, wanted n,d such as 20000,384") from None
    return n, d
