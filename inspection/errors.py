"""Errors of other libraries' code, cut to one line."""


def first_line(error: Exception) -> str:
    """The first line of the message, or the class where there is no message."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:")[:150]
