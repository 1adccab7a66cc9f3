"""Every signal in every phase of a command: exit status 130, how it goes on, and the same run in the end."""

import json
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

import commands.session as session
import commands.training as training
from commands.configuration.cadence_cli import CadenceCLI
from records.seals import Sealing
from tests.commands.test_resume import rows
from trainer import signals
from trainer.progress import Counter
from trainer.signals import RunStopped, deferred, interruptible, request, requested

pytestmark = pytest.mark.usefixtures("hangs_up")

RUN = [
    "fit", "--model", "MLP", "--model.hidden_sizes", "[8]", "--data", "Digits", "--data.batch_size", "250",
    "--optimizer", "SGD", "--optimizer.lr", "0.1", "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "1",
    "--trainer.enable_progress_bar", "false",
]  # fmt: skip
STEPS = 8
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "SIGHUP": signal.SIGHUP, "SIGUSR1": signal.SIGUSR1}


class At(pl.Callback):
    """Does something once, in one hook: at a step, or at any."""

    def __init__(self, hook: str, act: Callable[[], None], step: int | None = None) -> None:
        self.left = 1

        def hear(trainer: pl.Trainer, *_: Any, **__: Any) -> None:
            if self.left and not (trainer.sanity_checking and step is not None) and step in (None, trainer.global_step):
                self.left -= 1
                act()

        setattr(self, hook, hear)


# phase -> (hook, step, what the message says)
HOOKS = {
    "sanity check": ("on_sanity_check_start", None, "Stopped after step 0. Nothing is kept"),
    "beginning": ("on_train_start", None, "Stopped after step 0. Go on with"),
    "step": ("on_train_batch_start", 2, "Stopped after step 3. Go on with"),
    "end of a step": ("on_train_batch_end", 3, "Stopped after step 3. Go on with"),
    "validation": ("on_validation_batch_start", 4, "Stopped after step 4. Go on with"),
    "checkpoint": ("on_save_checkpoint", 4, "Stopped after step 4. Go on with"),
    "end of training": ("on_train_end", None, "Stopped after step 8. Go on with"),
    "test": ("on_test_batch_start", None, "Stopped after step 8. Go on with"),
}
# phase -> (module, name of what is called then, number of the call, what the message says)
CALLS: dict[str, tuple[Any, str, int, str]] = {
    "start-up": (training, "checked", 1, "stopped before anything was done"),
    "building": (session, "configured", 1, "stopped before anything was done"),
    "first write": (session, "write_json", 1, "Stopped after step 8. Go on with"),
    "last write": (session, "write_json", 2, "Stopped after step 8. Go on with"),
}
RANGE_TESTS = {"range test": 0, "range test within a pass": 2}
PHASES = [*CALLS, *HOOKS, *RANGE_TESTS]
BRIEF = {("SIGINT", "step"), ("SIGINT", "test"), ("SIGHUP", "validation"), ("SIGHUP", "start-up"), ("SIGUSR1", "step")}
TABLE = [
    pytest.param(name, phase, marks=() if name == "SIGTERM" or (name, phase) in BRIEF else pytest.mark.slow)
    for name in SIGNALS
    for phase in PHASES
]


def words(phase: str) -> list[str]:
    if phase not in RANGE_TESTS:
        return RUN
    test = ["steps", "20", "seeds", "1", "at_step", str(RANGE_TESTS[phase])]
    options = [f"--trainer.callbacks.{word}" if place % 2 == 0 else word for place, word in enumerate(test)]
    return [*RUN, "--trainer.callbacks+=LRRangeTest", *options]


def send_in(phase: str, number: signal.Signals, patch: pytest.MonkeyPatch) -> str:
    """Send a signal to this process in a phase of the next run; returns what is to be said of it."""

    def send() -> None:
        os.kill(os.getpid(), number)

    if phase in RANGE_TESTS:
        count = Counter.__call__

        def counting(self: Counter, steps: int) -> None:
            count(self, steps)
            send()

        patch.setattr(Counter, "__call__", counting)
        return f"Stopped after step {RANGE_TESTS[phase]}. Go on with"
    if phase in HOOKS:
        hook, step, said = HOOKS[phase]
        at, build = At(hook, send, step), CadenceCLI.build_trainer
        patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [at, *extra], **kw))
        return said
    module, name, place, said = CALLS[phase]
    called, made = getattr(module, name), []

    def calling(*args: Any, **kwargs: Any) -> Any:
        made.append(1)
        if len(made) == place:
            send()
        return called(*args, **kwargs)

    patch.setattr(module, name, calling)
    return said


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A run that nothing stopped, made once for each command line."""
    from cli import main

    made: dict[str, Path] = {}

    def run(phase: str) -> Path:
        given = words(phase)
        if str(given) not in made:
            made[str(given)] = tmp_path_factory.mktemp("unbroken") / "run"
            assert main([*given, "--run_dir", str(made[str(given)])]) == 0
        return made[str(given)]

    return run


@pytest.mark.parametrize(("name", "phase"), TABLE)
def test_it_is_told_and_goes_on(cadence, unbroken, name: str, phase: str, capsys, monkeypatch) -> None:
    whole, command = unbroken(phase), [*words(phase), "--run_dir", "run"]
    if name == "SIGUSR1":
        monkeypatch.setenv("SLURM_JOB_ID", "7")
    before = [signal.getsignal(number) for number in SIGNALS.values()]
    capsys.readouterr()
    with monkeypatch.context() as patch:
        said = send_in(phase, SIGNALS[name], patch)
        assert cadence(*command) == 130
    assert [signal.getsignal(number) for number in SIGNALS.values()] == before
    told = "".join(capsys.readouterr())
    assert told.count("topped") == 1 and said in told, told
    again = shlex.split(told.partition("Go on with: cadence ")[2].splitlines()[0]) if "Go on with" in told else command
    assert cadence(*again) == 0
    assert rows(Path("run")) == rows(whole)
    assert metrics(Path("run")) == metrics(whole)
    assert not list(Path("run").rglob("*.part"))


def metrics(run: Path) -> dict[str, float]:
    return json.loads((run / "result.json").read_text())["metrics"]


def test_a_second_signal_ends_it_at_once(cadence, capsys, monkeypatch) -> None:
    """Within a second it is the first once more, as `timeout` sends it to a process and then to its group."""
    build, heard = CadenceCLI.build_trainer, []

    def send() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        heard.append("goes on")
        monkeypatch.setattr(signals, "ONE_STOP", 0.0)
        os.kill(os.getpid(), signal.SIGINT)
        heard.append("never")

    at = At("on_train_batch_end", send, 6)
    with monkeypatch.context() as patch:
        patch.setattr(CadenceCLI, "build_trainer", lambda self, extra, **kw: build(self, [at, *extra], **kw))
        assert cadence(*RUN, "--run_dir", "run") == 130
    assert heard == ["goes on"]
    assert "Stopped after step 6. Go on with: cadence fit --resume" in capsys.readouterr().out
    assert cadence("fit", "--resume", "run") == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_a_checkpoint_is_written(cadence, unbroken, capsys, monkeypatch, number: int) -> None:
    """torch makes an error of its own of what ends its writing."""
    whole, sent, write = unbroken("step"), [], Sealing.write
    monkeypatch.setattr(signals, "ONE_STOP", 0.0)

    def send(sealing: Sealing, part: bytes) -> int:
        if len(sent) < 2 and len(part) > 64:
            sent.append(number)
            os.kill(os.getpid(), number)
        return write(sealing, part)

    with monkeypatch.context() as patch:
        patch.setattr(Sealing, "write", send)
        assert cadence(*RUN, "--run_dir", "run") == 130
    told = "".join(capsys.readouterr())
    assert len(sent) == 2 and told.count("topped") == 1 and "Traceback" not in told, told
    again = ["fit", "--resume", "run"] if "Go on with" in told else [*RUN, "--run_dir", "run"]
    assert cadence(*again) == 0
    assert metrics(Path("run")) == metrics(whole)


@pytest.mark.parametrize("phase", ["test", "range test"])
def test_of_the_other_commands(cadence, unbroken, phase: str, capsys, monkeypatch) -> None:
    command = ["test", "--run_dir", unbroken("step")] if phase == "test" else ["lr-range-test", *RUN[1:]]
    with monkeypatch.context() as patch:
        send_in(phase, signal.SIGTERM, patch)
        assert cadence(*command) == 130
    assert "Stopped before the end of the test. " in capsys.readouterr().out


def test_what_is_ignored_stays_so_and_quit_is_nobodys(monkeypatch) -> None:
    """`nohup` has SIGHUP ignored; SIGQUIT ends a process that hangs."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.getsignal(signal.SIGQUIT)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGQUIT) == before[1]
            assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL, "no job of SLURM"
    finally:
        signal.signal(signal.SIGHUP, before[0])


def test_a_signal_that_waited_ends_the_next_block_that_may_be_interrupted() -> None:
    with pytest.raises(RunStopped), interruptible():
        with deferred():
            request()
            assert requested()
        with interruptible():
            raise AssertionError("it has begun all the same")
    with interruptible():
        assert not requested(), "of an earlier command"
