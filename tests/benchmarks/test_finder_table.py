"""The table of the finder against the grid: right on made-up runs, and the published one not stale."""

import csv
from pathlib import Path

import pytest

from benchmarks.finder_table import BEGIN, END, compare, drawn, made, read, replaced, sentence
from benchmarks.lr_finder_against_grid import FIELDS, GRID, NAMES, OPTIMIZERS, SEEDS

ROOT = Path(__file__).resolve().parents[2]
BEST = 4  # place in the grid of the made-up runs' best rate


def made_up(path: Path, suggested: dict[tuple[str, int], float | None]) -> Path:
    """Runs whose grid peaks at place 4 with .90, .91, .92 for the three seeds; suggestions reach .90 or as given."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, restval="")
        writer.writeheader()
        for optimizer in OPTIMIZERS:
            for seed in SEEDS:
                common = {"optimizer": optimizer, "seed": seed, "cpu": "X", "torch": "2", "lightning": "3"}
                for place, name in enumerate(NAMES):
                    accuracy = 0.89 + seed / 100 - abs(place - BEST) / 10
                    grid = {"source": name, "lr": GRID[place], "val_accuracy": accuracy, "date": "2026-01-01"}
                    writer.writerow(common | grid)
                reached = suggested.get((optimizer, seed), 0.9)
                told = {"refusal": "flat"} if reached is None else {"lr": seed / 100, "val_accuracy": reached}
                writer.writerow(common | {"source": "suggested", "date": "2026-01-02"} | told)
    return path


def line(block: str, optimizer: str) -> list[str]:
    found = next(row for row in block.splitlines() if row.startswith(f"| {optimizer} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_compares_with_the_best_mean_of_the_grid(tmp_path: Path) -> None:
    block = made(read(made_up(tmp_path / "runs.csv", {})))
    assert line(block, "Adam") == ["Adam", "0.01 to 0.03", "90.00 ± 0.00", "0.01", "91.00 ± 1.00", "-1.00", "0"]
    assert "n = 3 seeds" in block and "X, one thread a run; torch 2, Lightning 3; 2026-01-01 to 2026-01-02" in block


def test_a_lucky_seed_does_not_choose_the_rate(tmp_path: Path) -> None:
    """The grid's rate is chosen once, by the mean over seeds; not for each seed its own."""
    cells = read(made_up(tmp_path / "runs.csv", {}))
    cells["SGD", NAMES[7], 1]["val_accuracy"] = "0.99"
    assert compare(cells, "SGD").best_rate == GRID[BEST]
    cells["SGD", NAMES[7], 2]["val_accuracy"] = cells["SGD", NAMES[7], 3]["val_accuracy"] = "0.99"
    assert compare(cells, "SGD").best_rate == GRID[7]


def test_a_refusal_is_counted_and_takes_no_part(tmp_path: Path) -> None:
    cells = read(made_up(tmp_path / "runs.csv", {("Adam", 3): None, **{("SGD", seed): None for seed in SEEDS}}))
    block = made(cells)
    # seeds 1 and 2: 90 against 90 and 91
    assert line(block, "Adam") == ["Adam", "0.01 to 0.02", "90.00 ± 0.00 (n = 2)", "0.01", "91.00 ± 1.00", "-0.50", "1"]
    assert line(block, "SGD") == ["SGD", "none", "", "0.01", "91.00 ± 1.00", "", "3"]
    assert "4 of 24 tests refused" in block


def test_the_sentence_tells_the_worst(tmp_path: Path) -> None:
    losses = {("Madam", seed): 0.6 for seed in SEEDS} | {("SGD", seed): 0.89 for seed in SEEDS}
    gains = {("Adagrad", seed): 0.97 for seed in SEEDS} | {("Adadelta", seed): None for seed in SEEDS}
    cells = read(made_up(tmp_path / "runs.csv", losses | gains))
    said = sentence([compare(cells, optimizer) for optimizer in OPTIMIZERS])
    # Madam loses 31 points, SGD 2, Adadelta refuses; the others lose 1 or win
    assert said.startswith("For 5 of 8 optimizers") and "worst loss is 31.00 points, with Madam" in said


def test_unfinished_runs_are_refused(tmp_path: Path) -> None:
    path = made_up(tmp_path / "runs.csv", {})
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match=r"lacks 1 of 288 runs.*NesterovRMSprop.*to its end"):
        read(path)


def test_leaves_the_prose_alone() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = replaced(document, "new")
    assert new == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n" == replaced(new, "new")
    with pytest.raises(ValueError, match="marker"):
        replaced("before\nafter\n", "new")


def test_draws_every_optimizer(tmp_path: Path) -> None:
    drawn(read(made_up(tmp_path / "runs.csv", {("Adam", 3): None})), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 20_000


def test_the_published_table_is_what_the_runs_say() -> None:
    document = (ROOT / "docs" / "lr_finder_against_grid.md").read_text()
    cells = read(ROOT / "results" / "lr_finder_against_grid.csv")
    assert document == replaced(document, made(cells)), "make it anew: python benchmarks/finder_table.py"
    assert (ROOT / "docs" / "lr_finder_against_grid.png").is_file()
