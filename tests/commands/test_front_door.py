"""The table of commands: every entry is there, answers, and is in the help."""

import sys
from importlib import import_module
from types import ModuleType

import pytest

import cli
from commands import Call

every_command = pytest.mark.parametrize("command", cli.COMMANDS)


@every_command
def test_a_command_has_a_run_and_a_line_of_help(command: str) -> None:
    module, line = cli.COMMANDS[command]
    assert module.startswith(("commands.", "studies.")) and callable(import_module(module).run)
    assert line and line[0] != " " and not line.endswith(".")


@every_command
def test_a_command_is_in_the_help(command: str) -> None:
    listed = cli.help_page().partition("commands:")[2].partition("examples:")[0]
    assert f"\n  {command}" in listed and f"{cli.COMMANDS[command][1]}\n" in listed
    assert all(len(line) <= 120 for line in listed.splitlines())


@every_command
def test_a_command_shows_its_usage(cadence, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cadence(command, "--help") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"usage: cadence {command} ") and shown.err == ""


def test_a_command_gets_its_name_and_the_words_behind_it(cadence, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Call] = []
    new = ModuleType("commands.new")
    new.run = lambda call: calls.append(call) or 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "commands.new", new)
    monkeypatch.setitem(cli.COMMANDS, "new", ("commands.new", "do something new"))
    assert cadence("new", "--debug", "--loud", "fit") == 7
    assert calls == [Call("new", ["--loud", "fit"], cli.STARTED)]
    assert "\n  new          do something new\n" in cli.help_page()


@pytest.mark.parametrize("module", ["commands.errors", "commands.nowhere"])
def test_an_entry_without_a_run_runs_nothing_else(cadence, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other, _ in cli.COMMANDS.values():
        monkeypatch.setattr(f"{other}.run", lambda call: pytest.fail("another command ran"))
    monkeypatch.setitem(cli.COMMANDS, "broken", (module, "do nothing"))
    with pytest.raises((AttributeError, ModuleNotFoundError), match=r"run|nowhere"):
        cadence("broken")
