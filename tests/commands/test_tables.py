"""Tables: numbers end at the right and never break, texts may, and what stands in a cell is printed as it is."""

from pathlib import Path

import pytest

from commands.tables.layout import lay
from commands.tables.summary import print_range_test, print_summary

HEADINGS = ("name", "n", "said")
ROWS = [["[bold]a", "1,000", "short"], ["b", "2", "a sentence that is " + "much " * 20 + "too long"]]


@pytest.fixture(autouse=True)
def _columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_table_is_as_wide_as_it_needs(capsys) -> None:
    lay(HEADINGS, ROWS, (0, 2))
    shown = lines(capsys)
    assert len(shown) == 6 and len({len(line) for line in shown}) == 1 and len(shown[0]) > 120
    assert shown[3].startswith("│ [bold]a │ 1,000 │ short ") and shown[4].startswith("│ b       │     2 │ a sentence")


def test_texts_that_may_break_fit_the_terminal(capsys) -> None:
    lay(HEADINGS, ROWS, (0, 2), broken=(2,))
    shown = lines(capsys)
    assert len(shown) > 6 and all(len(line) <= 80 for line in shown)
    assert shown[3].startswith("│ [bold]a │ 1,000 │ short ")


def test_texts_that_may_not_break_stay_whole_beside_them(capsys) -> None:
    name = "a name of several words that is fifty columns long"
    lay(("name", "said"), [[name, "so much " * 9]], (0, 1), broken=(1,))
    shown = lines(capsys)
    assert shown[3].startswith(f"│ {name} │ so much ") and all(len(line) <= 80 for line in shown)


def test_without_rules(capsys) -> None:
    lay(("N", "found"), [["1", " 2.0"], ["10", "-3.0*"]], left=(1,), form="plain")
    assert [line.rstrip() for line in lines(capsys)] == [" N  found", " 1   2.0", "10  -3.0*"]


def test_in_markdown(capsys) -> None:
    lay(("name", "n"), [["a*b", "1"]], form="markdown")
    assert lines(capsys) == ["| name | n |", "|---|---:|", r"| a\*b | 1 |"]


def test_the_summary_of_a_run(capsys) -> None:
    metrics = {"val/loss": 0.5, "val/accuracy": 0.75, "test/loss": 12.25, "test/accuracy": 1.0}
    result = {"metrics": metrics, "parameters": 1234, "steps": 5678, "seconds": {"setup": 1.26, "evaluation": 0.0}}
    print_summary(result, Path("runs/[a]"))
    shown = lines(capsys)
    assert "│ validation (last) │  0.5000 │   75.00% │ 25.00% │" in shown
    assert "│ test              │ 12.2500 │  100.00% │  0.00% │" in shown
    assert shown[-3:] == ["1,234 parameters, 5,678 steps", "setup 1.3 s", "run directory: runs/[a]"]
    print_summary(result, None)
    assert "run directory" not in capsys.readouterr().out


def test_a_range_test_s_reason_breaks_and_its_numbers_do_not(capsys) -> None:
    rows = [
        {"rule": "valley", "from": 0.000688, "to": 0.1, "decades between seeds": 0.02},
        {"rule": "refused", "from": "", "to": "", "decades between seeds": "the curve is flat: " + "more " * 20},
    ]
    print_range_test(rows, Path("run"))
    shown = lines(capsys)
    assert shown[3].startswith("│ valley  │ 0.000688 │ 0.1 │ 0.02 ") and all(len(line) <= 80 for line in shown)
    print_range_test(rows[:1], Path("run"))
    assert "│ valley │ 0.000688 │ 0.1 │                  0.02 │" in lines(capsys)
    print_range_test([], Path("run"))
    assert lines(capsys) == ["run directory: run"]


ANSI, NAMES = "\x1b[31mred\x1b[0m", ["[red]a", "[/b]", ":smile:", "a\nb", "*"]


@pytest.mark.parametrize("form", ["table", "plain", "markdown"])
def test_a_cell_is_printed_as_it_is(form: str, capsys) -> None:
    """No markup, no emoji, and neither line ends nor escapes that a terminal obeys."""
    lay(("n", "[bold]name"), [["1", ANSI], *(["2", name] for name in NAMES)], (1,), form=form)
    shown = capsys.readouterr().out
    assert "[bold]name" in shown and r"\x1b[31mred\x1b[0m" in shown and "\x1b" not in shown
    assert all(name.replace("\n", r"\n").replace("*", "*" if form != "markdown" else r"\*") in shown for name in NAMES)


def test_no_text_is_given_to_rich_as_markup() -> None:
    """Rich reads strings in cells and prints as markup and emoji: they come as Text, or with both turned off."""
    house = Path(__file__).parents[2]
    rooms = [path.parent for path in house.glob("*/__init__.py")]
    sources = {path: path.read_text() for room in rooms for path in room.rglob("*.py")}
    rich = {path: text for path, text in sources.items() if "from rich" in text and "tests" not in path.parts}
    assert len(rich) >= 3
    for path, text in rich.items():
        for line in text.splitlines():
            if "console.print(" in line and "table" not in line:
                assert "markup=False, emoji=False" in line, f"{path}: {line}"
            assert "TextColumn(" not in line or "markup=False" in line, f"{path}: {line}"
            assert not ("add_row(" in line or "add_column(" in line) or "Text(" in line, f"{path}: {line}"
