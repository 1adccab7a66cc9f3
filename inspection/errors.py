"""What an error of somebody else's code comes down to."""


def first_line(error: Exception) -> str:
    """The first line that it says, or its class where it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:")[:150]
