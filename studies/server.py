"""Imported once by the process that cells are forked from: torch, Lightning and the commands, but no computation.

A computation here would start OpenMP's threads, which a fork loses.
"""

from trainer.process import importing, settle

settle()

with importing():
    import commands.configuration.resolved
    import commands.session  # noqa: F401
