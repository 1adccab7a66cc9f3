"""Imported once by the process that cells are forked from: torch, Lightning and the commands, but no computation.

A computation here would start OpenMP's threads, which a fork loses.
"""

from trainer.process import settle

settle()

import commands.configuration.resolved  # noqa: E402
import commands.session  # noqa: E402, F401
