"""Imported once by the process that cells are forked from: torch, Lightning and the commands, but no computation.

A computation here would start OpenMP's threads, which a fork loses.
"""

import signal

from trainer.process import importing, settle

# What stops the study may come to all of its processes. The cells answer it; their server stays to tell how they ended.
_BEFORE = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGHUP)}

settle()

with importing():
    import commands.configuration.resolved
    import commands.session  # noqa: F401
    from records.environment import installed

installed()  # hundreds of small files, read once for all cells


def leave() -> None:
    """Answer signals again, in a process that was forked from the server."""
    for number, handler in _BEFORE.items():
        signal.signal(number, handler)
