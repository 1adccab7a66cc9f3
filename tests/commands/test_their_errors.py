"""An error in somebody else's code shows the line of their file and its message, in whatever phase it comes."""

import re
from pathlib import Path

import pytest

from tests.commands.theirs import CODE, cadence, fit, processes, words, written

RAISED = "raise KeyError('the reason')"
# phase -> (class, method with its arguments, what comes before the error in it)
PHASES = {
    "constructor": ("Broken(LitClassifier)", "__init__(self)", ""),
    "constructor of the data": ("BrokenData(LitData)", "__init__(self)", ""),
    "prepare_data": ("BrokenData(LitData)", "prepare_data(self)", ""),
    "setup": ("BrokenData(LitData)", "setup(self, stage)", ""),
    "setup of the module": ("Broken(LitClassifier)", "setup(self, stage)", ""),
    "train_dataloader": ("BrokenData(LitData)", "train_dataloader(self)", ""),
    "val_dataloader": ("BrokenData(LitData)", "val_dataloader(self)", ""),
    "configure_optimizers": ("Broken(LitClassifier)", "configure_optimizers(self)", ""),
    "sanity check": ("Broken(LitClassifier)", "validation_step(self, batch, batch_idx)", ""),
    "forward": ("Broken(LitClassifier)", "forward(self, x)", ""),
    "training_step": ("Broken(LitClassifier)", "training_step(self, batch, batch_idx)", ""),
    "a later training_step": (
        "Broken(LitClassifier)", "training_step(self, batch, batch_idx)",
        "if self.global_step < 15: return super().training_step(batch, batch_idx)",
    ),
    "a later validation": (
        "Broken(LitClassifier)", "on_validation_epoch_end(self)", "if self.trainer.sanity_checking: return",
    ),
    "on_train_epoch_end": ("Broken(LitClassifier)", "on_train_epoch_end(self)", ""),
    "on_train_end": ("Broken(LitClassifier)", "on_train_end(self)", ""),
    "test_dataloader": ("BrokenData(LitData)", "test_dataloader(self)", ""),
    "test_step": ("Broken(LitClassifier)", "test_step(self, batch, batch_idx)", ""),
    "callback": ("BrokenCallback(L.Callback)", "on_train_batch_end(self, *arguments)", ""),
    "constructor of a callback": ("BrokenCallback(L.Callback)", "__init__(self)", ""),
}  # fmt: skip


def broken(kind: str, method: str, before: str = "", raised: str = RAISED) -> str:
    lines = [f"class {kind}:", f"    def {method}:", *([f"        {before}"] if before else []), f"        {raised}"]
    return "\n\n\n" + "\n".join(lines) + "\n"


def line_of(code: str, text: str) -> int:
    return next(number for number, line in enumerate((CODE + code).splitlines(), 1) if text in line)


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_shows_the_line(tmp_path: Path, phase: str) -> None:
    kind, method, before = PHASES[phase]
    code = broken(kind, method, before)
    folder, name = written(tmp_path, code), kind.partition("(")[0]
    where = {"Broken": {"model": name}, "BrokenData": {"data": name}, "BrokenCallback": {}}[name]
    given = ["--trainer.callbacks+=theirs.BrokenCallback"] if name == "BrokenCallback" else []
    done = fit(folder, *given, **where)
    assert done.status == 1, done.err
    place = f"theirs.py:{line_of(code, RAISED)} in {method.partition('(')[0]}: {RAISED}"
    assert "cadence: an error in your code (--debug shows the whole traceback)\n" in done.err, done.err
    assert place in done.err and "KeyError: 'the reason'" in done.err and "Traceback" not in done.err, done.err
    if phase in ("test_dataloader", "test_step"):
        assert "the test failed: " in done.err and (folder / "run" / "result.json").is_file()


@pytest.mark.parametrize(
    ("command", "method"), [("predict", "predict_step(self, batch, batch_idx)"), ("test", "test_step(self, batch, i)")]
)
def test_evaluations_show_it_too(tmp_path: Path, command: str, method: str) -> None:
    folder = written(tmp_path, broken("Broken(LitClassifier)", method))
    assert fit(folder, "--test_after_fit", "false", model="Broken").status == 0
    done = cadence(folder, command, "--run_dir", "run")
    assert done.status == 1 and f"in {method.partition('(')[0]}: {RAISED}" in done.err, done.err


def test_each_of_two_processes_says_which_it_is(tmp_path: Path) -> None:
    """The process without an error says that it ends with the other one."""
    step = "training_step(self, batch, batch_idx)"
    alone = broken(
        "Broken(LitClassifier)", step, "if self.global_rank == 0: return super().training_step(batch, batch_idx)"
    )
    folder = written(tmp_path, alone)
    shape = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
    done = processes(folder, *words(*shape, model="Broken"))
    assert done.returncode == 1 and done.stderr.count("KeyError: 'the reason'") == 1, done.stderr
    assert "cadence: an error in your code, in process 1 of 2 (--debug" in done.stderr, done.stderr


def test_what_a_library_refuses_shows_their_lines_down_to_it(tmp_path: Path) -> None:
    code = broken("Broken(LitClassifier)", "forward(self, x)", raised="return self.l1(x)")
    done = fit(written(tmp_path, code), model="Broken")
    assert done.status == 1, done.err
    lines = done.err.splitlines()
    assert re.match(r"  theirs.py:\d+ in validation_step: scores = self\(x\)$", lines[1])
    assert lines[2].endswith("in forward: return self.l1(x)") and len(lines) == 4
    assert lines[3].startswith("  RuntimeError: ") and "shapes cannot be multiplied" in lines[3]


def test_a_worker_of_a_loader_shows_it(tmp_path: Path) -> None:
    code = broken("Items(torch.utils.data.Dataset)", "__getitem__(self, place)") + (
        "\n    def __len__(self):\n        return 64\n\n\nclass BrokenData(LitData):\n    def train_dataloader(self):\n"
        "        return DataLoader(Items(), 8, num_workers=1)\n"
    )
    done = fit(written(tmp_path, code), data="BrokenData")
    assert done.status == 1, done.err
    assert f"in __getitem__: {RAISED}" in done.err and "KeyError: 'the reason'" in done.err


@pytest.mark.parametrize(
    ("code", "told"),
    [("\nmissing_name\n", "NameError: name 'missing_name' is not defined"), ("\ndef broken(:\n", "SyntaxError: ")],
)
def test_a_module_that_cannot_be_imported_shows_it(tmp_path: Path, code: str, told: str) -> None:
    done = fit(written(tmp_path, code))
    assert done.status == 1, done.err
    assert f"theirs.py:{line_of(code, code.strip())}" in done.err and told in done.err


def test_debug_shows_the_whole_traceback(tmp_path: Path) -> None:
    done = fit(written(tmp_path, broken(*PHASES["training_step"])), "--debug", model="Broken")
    assert "Traceback (most recent call last)" in done.err and "training_epoch_loop.py" in done.err


@pytest.mark.parametrize(
    "options", [["--model.width", "wide"], ["--model.widht", 3], ["--trainer.max_epochs", "many"], ["--data.size", 3]]
)
def test_mistakes_of_a_configuration_stay_short(tmp_path: Path, options: list[object]) -> None:
    done = fit(written(tmp_path), *options)
    assert done.status == 2 and len(done.err.splitlines()) <= 3 and "your code" not in done.err, done.err
