"""A sweep file's grid and its cells' command lines."""

from pathlib import Path

import pytest

from studies.sweep import Sweep, read_sweep

SWEEP = """
program: cadence
method: grid
command: ["${env}", cadence, fit, "${args}"]
parameters:
  config: {value: digits_demo}
  optimizer.lr: {values: [0.1, 1.0e-05]}
  model.widths: {values: [[8, 16]]}
  seed_everything: {values: [1, 2]}
  trainer.enable_progress_bar: {value: false}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return path


def test_the_grid_and_its_command_lines(tmp_path: Path) -> None:
    sweep = read_sweep(written(tmp_path, SWEEP))
    cells = sweep.cells()
    assert [(cell["optimizer.lr"], cell["seed_everything"]) for cell in cells] == [
        (0.1, 1),
        (0.1, 2),
        (1e-05, 1),
        (1e-05, 2),
    ]
    # as wandb 0.31's agent wrote them for the same file
    assert sweep.arguments(cells[2]) == [
        "fit", "--config=digits_demo", "--model.widths=[8, 16]", "--optimizer.lr=1e-05", "--seed_everything=1",
        "--trainer.enable_progress_bar=False",
    ]  # fmt: skip


def test_a_scale_keeps_some_values_and_fixes_others() -> None:
    sweep = Sweep("fit", {"a": [1, 2, 3], "b": ["x"]})
    assert sweep.cells({"a": [3, 1]}, {"b": "y", "c": 0}) == [{"a": 3, "b": "y", "c": 0}, {"a": 1, "b": "y", "c": 0}]
    with pytest.raises(ValueError, match="a: 4 is none of the sweep's values"):
        sweep.cells({"a": [4]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("method: grid", "method: bayes", "method: bayes needs W&B's service"),
        ("parameters:", "job:", "parameters is missing"),
        ('"${env}", cadence, fit, "${args}"', "python, cli.py", "command must be `cadence`"),
        (
            'cadence, fit, "${args}"',
            'cadence, list, "${args}"',
            "one of fit, lr-range-test, batch-size-range-test, and",
        ),
        ("{value: digits_demo}", "{min: 0, max: 1}", "parameters.config must have `value`"),
        ("optimizer.lr:", "trainer.callbacks+:", "W&B.s schema takes letters, digits"),
        ("[0.1, 1.0e-05]", "[]", "parameters.optimizer.lr must have"),
        ("[0.1, 1.0e-05]", "[null]", "holds null, which W&B hands on"),
        ("[0.1, 1.0e-05]", "[{a: 1}]", "holds a mapping: use dotted names"),
        ("[0.1, 1.0e-05]", "[0.1, 1.0e-05, .1]", "parameters.optimizer.lr has 0.1 twice: take one out"),
        ("method: grid", "method: grid\nearly_terminate: {type: hyperband}", "early_terminate needs W&B's service"),
        ("method: grid", "method: grid\nrun_cap: 3", "run_cap needs W&B's service"),
        ("method: grid", "method: grid\nmethods: grid", "methods is no key of a sweep file: take it out"),
    ],
)
def test_what_is_no_grid_over_cadence_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SWEEP
    with pytest.raises(ValueError, match=message.replace("{", r"\{")) as refused:
        read_sweep(written(tmp_path, SWEEP.replace(old, new)))
    assert str(refused.value).startswith(str(tmp_path)) and "\n" not in str(refused.value)
