"""jsonargparse's messages, shortened to the field and what is wrong with it."""

import re


def readable(message: str) -> str:
    """At most three lines of a parser's message: the key, the innermost complaint, the remedy where there is one."""
    return message
