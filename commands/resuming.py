"""What a resume must know of the run before it goes on: its past, whose checkpoints it has, whether it has ended."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import yaml

from checks.shell import command_line, place, without
from commands import Call
from commands.configuration.same_run import changed, check_same
from commands.configuration.translations import translated
from commands.errors import UserError, notice
from commands.tables.summary import print_summary
from records.checkpoint_io import REMEDY, Unreadable
from records.generation import this_start
from records.history import KEY, Past, past_in
from records.run_directory import RunDirectory
from trainer.fit_loop import leave_ended
from trainer.restoring import while_restoring

if TYPE_CHECKING:
    from commands.configuration.cadence_cli import CadenceCLI


class Resuming:
    """A run that is to go on.

    Args:
        directory: the run's.
        command: command that goes on with it.
        words: words behind the command, as they were typed.

    Raises:
        UserError: a checkpoint of the run is damaged, another run's, or of another version.
    """

    def __init__(self, directory: RunDirectory, command: str, words: Sequence[str]) -> None:
        self.directory, self.command, self.words = directory, command, without(words, ["--resume"])
        kept = sorted(directory.root.glob(directory.kept_test("*_range_test").name))
        pasts = [self._past(path) for path in [directory.last, *kept] if path.is_file()]
        self.past: Past | None = pasts[0] if pasts else None
        self.changes: dict[str, Any] = {}

    def tell(self) -> None:
        """Say so where the run begins once more, or where its job does."""
        if self.past is None:
            print(f"cadence: {self.directory.root} has no checkpoint: it begins at its first step", file=sys.stderr)
        elif (start := this_start()).restart:
            after = f" after step {self.past.step:,}" if self.command == "fit" else ""
            told = f"start {start.restart} of job {start.job}: {self.directory.root} goes on{after}"
            print(f"cadence: {told}", file=sys.stderr)

    def prepare(self, cli: "CadenceCLI", trainer: pl.Trainer) -> None:
        """Say so where the run begins once more; let one that has its result end at once."""
        if trainer.is_global_zero:
            self.tell()
            if self.directory.result.is_file() and self.directory.ended_with() is None:
                notice(f"{self.directory.result} is damaged: it is written anew")
        result = final_result(cli, self.directory)
        if result is not None and self.past is not None and result["steps"] == self.past.step:
            leave_ended(trainer)

    def check(self, cli: "CadenceCLI") -> None:
        """Refuse a parsed configuration that is not the run's own.

        Raises:
            UserError: names what differs.
        """
        config = self.directory.config()
        edited = yaml.safe_load(config.read_text())
        past = self.past or Past("", edited, [])
        past = Past(past.id, cli.reparsed(past.config), past.segments, past.step, past.epochs)

        def new(same_network: bool) -> str:
            weights = same_network and self.past is not None and self.directory.last.is_file()
            return self._beginning("--from", self.directory.root) if weights else self._beginning("-c", config)

        now = yaml.safe_load(cli.resolved())
        check_same(now, past, self.directory.root, edited, new)
        self.changes = changed(past.config, now)

    def anew(self, path: Path) -> str:
        """How to go on without a file, in two lines; a run that has ended keeps its result, and begins elsewhere."""
        if path == self.directory.last and self.directory.result.is_file():
            again = self._beginning("-c", self.directory.config())
            return f"train the run, which has ended, once more by\n{again}"
        begins = "run begins again at its first step" if path == self.directory.last else "test begins again"
        return f"delete {command_line(str(path))}, and the {begins} by\n{self.directory.going_on(self.command)}"

    def _beginning(self, flag: str, start: Path) -> str:
        """The command line that begins a run with the words that were typed."""
        words = [word for word in self.words if word != "--without_rows"]
        return command_line("cadence", self.command, flag, place(start), *words)

    def _past(self, path: Path) -> Past:
        try:
            past = past_in(path, whole=path == self.directory.last)
        except Unreadable as error:
            raise UserError(f"{error.what}\n{self.anew(path)}") from error
        own = self.directory.begun_with().get(KEY, past.id)
        if past.id != own:
            what = f"checkpoint {path} is another run's ({past.id}, and this is {own}): put this one's back, or"
            raise UserError(f"{what}\n{self.anew(path)}")
        return past


@contextmanager
def restoring(checkpoint: Path, remedy: str = "") -> Iterator[None]:
    """Tell in Cadence's words what goes wrong where Lightning restores a checkpoint.

    Args:
        checkpoint: path of it.
        remedy: lines that say how to go on, in place of what suits a checkpoint that is only tested.

    Raises:
        UserError: the checkpoint cannot be restored.
    """
    try:
        yield
    except (Unreadable, RuntimeError, KeyError, TypeError, AttributeError, IndexError) as error:
        usual = REMEDY
        if isinstance(error, Unreadable):
            what = error.what
        elif not while_restoring(error):
            raise
        elif isinstance(error, RuntimeError):
            what, _, usual = translated(str(error), f"checkpoint {checkpoint}").partition("\n")
        else:
            what = f"checkpoint {checkpoint} cannot be restored ({type(error).__name__}: {error})"
        raise UserError(f"{what}\n{remedy or usual}") from error


def resuming(call: Call, arguments: Sequence[str], resume: bool) -> Resuming | None:
    """The run that is to go on; None for one that begins. `arguments` end with its directory."""
    return (
        Resuming(RunDirectory(Path(arguments[-1].partition("=")[2])), call.command, call.arguments) if resume else None
    )


def final_result(cli: "CadenceCLI", directory: RunDirectory) -> dict[str, Any] | None:
    """The result of a run that has ended; None if it has none, or one without the test that is asked for."""
    result = directory.ended_with()
    if result is None or ("diverged" in result and cli.config.on_nonfinite == "stop"):
        return None
    tested = any(name.startswith("test/") for name in result["metrics"])
    return result if tested or not cli.config.test_after_fit else None


def nothing_left(cli: "CadenceCLI", trainer: pl.Trainer, directory: RunDirectory) -> bool:
    """Whether a run that had nothing to train has its result already; that is then shown, and nothing is written."""
    result = final_result(cli, directory)
    if result is None:
        return False
    if trainer.is_global_zero:
        print_summary(result, directory.root)
        ended = "The run had ended, and nothing was left to do."
        if trainer.should_stop:  # a callback has ended it, and would at any length
            print(f"{ended} To train on, begin a new run from its weights: cadence fit --from {place(directory.root)}")
        else:
            print(f"{ended} To train on: {_longer(trainer, directory)}")
    return True


def _longer(trainer: pl.Trainer, directory: RunDirectory) -> str:
    """A command that trains twice as long."""
    steps, epochs = trainer.global_step, trainer.current_epoch
    reached = trainer.max_steps != -1 and steps >= trainer.max_steps
    length = ("--trainer.max_steps", str(2 * steps)) if reached else ("--trainer.max_epochs", str(2 * max(epochs, 1)))
    return f"{directory.going_on('fit')} {' '.join(length)}"
