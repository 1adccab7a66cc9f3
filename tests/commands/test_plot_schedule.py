"""`cadence plot-schedule`: the figure and the table of what a run would do, and nothing trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forked import forked
from timeline.schedules import Cycle

BASE = ["--model", "SmallCNN", "--optimizer", "SGD", "--optimizer.lr", "0.05", "--data.batch_size", "64"]
PLOT = ["plot-schedule", *BASE, "--trainer.max_epochs", "4"]
CYCLE = [
    "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.lower", "0.01", "--trainer.callbacks.upper", "0.1",
    "--trainer.callbacks.half_cycle", "1",
]  # fmt: skip
DROP = ["--trainer.callbacks+=MultiStepLR", "--trainer.callbacks.milestones", "[3]"]
BATCHES = [
    "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "128",
    "--trainer.callbacks.half_cycle", "2", "--trainer.callbacks.mode", "triangular",
]  # fmt: skip


AUTO = [
    "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.bounds", "auto",
    "--trainer.callbacks.half_cycle", "1",
]  # fmt: skip


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the figure is given."""
    import figures.schedule

    caught: dict[str, Any] = {}
    draw = figures.schedule.schedule_figure
    monkeypatch.setattr(figures.schedule, "schedule_figure", lambda **given: caught.update(given) or draw(**given))
    return caught


def test_draws_and_trains_nothing(cadence, tmp_path: Path, drawn: dict[str, Any], capfd, monkeypatch) -> None:
    build = "commands.configuration.cadence_cli.CadenceCLI.build_trainer"
    monkeypatch.setattr(build, lambda *_, **__: pytest.fail("a trainer was built"))
    assert cadence(*PLOT, *CYCLE) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["schedule.png"]
    assert (tmp_path / "schedule.png").read_bytes().startswith(b"\x89PNG")
    cycle, n = Cycle(0.01, 0.1, 1.0), 998
    assert drawn["steps"].tolist() == [step for step in range(64) if step % 16 != 15]  # 998 = 15 * 64 + 38
    assert drawn["lr"] == pytest.approx([cycle(epoch) for epoch in drawn["epochs"]], rel=1e-15)
    assert drawn["epochs"][15] == 1.0 and set(drawn["batch_size"]) == {64}
    np.testing.assert_allclose(drawn["noise_scale"], drawn["lr"] * n / 64, rtol=1e-15)
    shown = capfd.readouterr()
    assert shown.err == "" and "64 steps, drawn in schedule.png" in shown.out
    rows = {line.split("│")[1].strip(): line.split("│")[2:5] for line in shown.out.splitlines() if "│" in line}
    assert [float(value) for value in rows["learning rate"]] == pytest.approx([0.01, 0.1, drawn["lr"][-1]], rel=1e-5)
    assert [float(value) for value in rows["batch size"]] == [64, 64, 64]


def test_a_run_without_policies_is_flat(cadence, drawn: dict[str, Any]) -> None:
    assert cadence(*PLOT, "--out", "flat.svg") == 0
    assert Path("flat.svg").is_file()
    assert set(drawn["lr"]) == {0.05} and set(drawn["batch_size"]) == {64}
    assert set(drawn["noise_scale"]) == {0.05 * 998 / 64}


def test_drops_begin_at_the_optimizer_s_own_rate(cadence, drawn: dict[str, Any]) -> None:
    assert cadence(*PLOT, *DROP) == 0
    expected = np.where(drawn["epochs"] < 3, 0.05, 0.005)
    np.testing.assert_allclose(drawn["lr"], expected)
    assert drawn["noise_scale"][-1] == pytest.approx(0.005 * 998 / 64)


def test_the_batch_size_is_the_laid_stream_s(cadence, drawn: dict[str, Any]) -> None:
    assert cadence(*PLOT, *BATCHES) == 0
    sizes = drawn["batch_size"]
    assert sizes[0] == 16 and sizes.max() == 128 and len(set(sizes.tolist())) > 10
    np.testing.assert_allclose(drawn["noise_scale"], 0.05 * 998 / sizes)
    assert np.diff(drawn["epochs"]) == pytest.approx(sizes[:-1] / 998, abs=128 / 998)


def test_both_cycles_together(cadence, drawn: dict[str, Any]) -> None:
    assert cadence(*PLOT, *BATCHES, *CYCLE) == 0
    assert drawn["lr"] == pytest.approx(Cycle(0.01, 0.1, 1.0)(drawn["epochs"]), rel=1e-12)
    assert drawn["batch_size"].max() == 128


def test_bounds_of_a_test_to_come_are_given(cadence, drawn: dict[str, Any]) -> None:
    assert cadence(*PLOT, *CYCLE) == 0
    given = dict(drawn)
    assert cadence(*PLOT, *AUTO, "--bounds", "0.01,0.1") == 0
    assert all(np.array_equal(drawn[name], given[name]) for name in given)
    whole = "digits_rate_and_batch_cycles"
    assert cadence("plot-schedule", "-c", whole, "--bounds=0.001,0.05", "--batch_bounds", "8,64") == 0
    assert drawn["lr"].min() >= 0.001 and drawn["lr"].max() <= 0.05 and drawn["lr"][0] == 0.001
    assert drawn["batch_size"].min() == 8 and drawn["batch_size"].max() == 64


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (["--trainer.max_steps", "10"], 10),
        (["--trainer.max_steps", "1000"], 64),
        (["--trainer.max_epochs", "-1", "--trainer.max_steps", "30"], 30),
        (["--data.drop_last", "true"], 60),
    ],
)
def test_length(cadence, options: list[str], steps: int, capsys) -> None:
    assert cadence(*PLOT, *options) == 0
    assert f"{steps} steps" in capsys.readouterr().out


def test_a_whole_pass_in_a_step(cadence, drawn: dict[str, Any]) -> None:
    assert cadence(*PLOT, "--data.batch_size", "5000") == 0
    assert drawn["epochs"].tolist() == [0, 1, 2, 3] and set(drawn["batch_size"]) == {998}


def test_a_configuration_file(cadence, tmp_path: Path, drawn: dict[str, Any]) -> None:
    (tmp_path / "mine.yaml").write_text(
        "model: SmallCNN\noptimizer: {class_path: SGD, init_args: {lr: 0.1}}\n"
        "trainer: {max_epochs: 2, callbacks: [{class_path: CyclicalLR, init_args: {lower: 0.1, upper: 0.3, "
        "half_cycle: 10, unit: steps, cycle_momentum: [0.8, 0.9]}}]}\n"
    )
    assert cadence("plot-schedule", "-c", "mine.yaml") == 0
    assert drawn["lr"][:3] == pytest.approx([0.1, 0.12, 0.14])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([*PLOT, "--out", "schedule.gif"], ["--out schedule.gif", ".png"]),
        ([*PLOT, "--out", "none/schedule.png"], ["--out none/schedule.png", "no folder none"]),
        ([*PLOT, "--out"], ["--out needs", "--out schedule.png"]),
        ([*PLOT, "--uot", "mine.png"], ["uot", "nearest: out", "`cadence plot-schedule --help`"]),
        ([*PLOT, "--trainer.max_epocs", "3"], ["max_epocs", "trainer.max_epochs"]),
        (["plot-schedule", "-c", "digits_dmo"], ["nearest: digits_demo"]),
        (["plot-schedule", *BASE], ["trainer.max_epochs is missing"]),
        (["plot-schedule", *BASE, "--trainer.max_time", "00:01:00:00"], ["trainer.max_epochs is missing"]),
        ([*PLOT, "--trainer.max_epochs", "0"], ["trainer.max_epochs", "at least 1"]),
        ([*PLOT, "--trainer.limit_train_batches", "5"], ["trainer.max_epochs", "give trainer.max_steps"]),
        (
            [*PLOT, "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.half_cycle", "2",
             "--trainer.callbacks.bounds", "auto"],
            ["CyclicalLR's are known only after the range test", "--bounds 0.001,0.1"],
        ),
        (
            [*PLOT, "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.half_cycle", "2",
             "--trainer.callbacks.bounds", "auto"],
            ["CyclicalBatchSize's are known only after the range test", "--batch_bounds 64,512"],
        ),
        (
            [*PLOT, "--trainer.callbacks+=CyclicalLR", "--trainer.callbacks.half_cycle", "2"],
            ["trainer.callbacks", "lower is missing"],
        ),
        ([*PLOT, "--bounds", "0.1,1"], ["--bounds goes with a CyclicalLR with bounds: auto alone", "leave it out"]),
        ([*PLOT, *BATCHES, "--batch_bounds", "8,64"], ["--batch_bounds goes with a CyclicalBatchSize with"]),
        ([*PLOT, *AUTO, "--bounds", "1,0.1"], ["--bounds must be two numbers above 0, LOWER,UPPER", "e.g. 0.001,0.1"]),
        ([*PLOT, *AUTO, "--bounds", "0.1"], ["--bounds must be two numbers"]),
        ([*PLOT, *AUTO, "--bounds"], ["--bounds needs a value", "--bounds 0.001,0.1"]),
        ([*PLOT, *CYCLE, *DROP], ["CyclicalLR and MultiStepLR", "keep one"]),
        ([*PLOT, *CYCLE, "--trainer.callbacks.gama", "0.5"], ["gama", "nearest: gamma"]),
        ([*PLOT, *CYCLE, "--trainer.callbacks.gamma", "0.5"], ["trainer.callbacks", "gamma has no part in"]),
        ([*PLOT, *CYCLE, "--trainer.callbacks.mode", "square"], ["mode", "triangular", "'square'"]),
    ],
)  # fmt: skip
def test_mistakes(cadence, tmp_path: Path, arguments: list[str], expected: list[str], capsys) -> None:
    assert cadence(*arguments) == 2
    told = capsys.readouterr().err
    assert 1 <= len(told.strip().splitlines()) <= 3, told
    assert [part for part in expected if part not in told] == [], told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("policy", [[], BATCHES])
@pytest.mark.parametrize("length", [["--trainer.max_epochs", "1000000000"], ["--trainer.max_steps", "1000000000"]])
def test_a_run_without_end_is_not_drawn(policy: list[str], length: list[str], tmp_path: Path) -> None:
    done = forked("plot-schedule", *BASE, *policy, *length, cwd=tmp_path, limit=30)
    assert done.status == 2 and "trainer.max_steps: " in done.err and "1,000,000 at most" in done.err, done
