"""Measurements of one model: its costs, its receptive fields, and whether its gradients are right. Import the files."""


def first_line(error: Exception) -> str:
    """The first line of an error of other people's code, or its class where it has no message."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:")[:150]
