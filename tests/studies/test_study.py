"""A study's folder, read and laid out."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.errors import UserError
from studies.reading import read_study
from studies.study import find

SWEEP = {
    "program": "cadence",
    "method": "grid",
    "command": ["cadence", "fit", "${args}"],
    "parameters": {"optimizer.lr": {"values": [0.1, 0.01]}, "seed_everything": {"values": [1, 2, 3]}},
}
STUDY: dict[str, Any] = {
    "title": "Two rates",
    "asks": "Which of two rates is better?",
    "scales": {
        "smoke": {"options": {"trainer.max_steps": 2}, "only": {"optimizer.lr": [0.01]}, "seeds": 1},
        "laptop": {"seeds": 4},
        "full": None,
    },
    "exhibits": [{"kind": "table"}],
    "claims": [{"says": "so", "source": "there", "check": "at_least", "metric": "x", "value": 1, "scale": "smoke"}],
}

CLAIM = {"says": "so", "source": "there", "check": "at_least"}


def written(folder: Path, study: dict[str, Any] = STUDY) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder


def test_scales_and_seeds_choose_cells(tmp_path: Path) -> None:
    study = read_study(written(tmp_path / "rates"))
    assert study.name == "rates" and study.title == "Two rates"
    (smoke,) = study.cells("smoke")
    assert smoke.parameters == {"optimizer.lr": 0.01, "seed_everything": 1, "trainer.max_steps": 2}
    assert smoke.arguments == ["fit", "--optimizer.lr=0.01", "--seed_everything=1", "--trainer.max_steps=2"]
    assert [cell.parameters for cell in study.cells("full")] == study.sweeps["sweep"].cells()
    assert [cell.parameters["seed_everything"] for cell in study.cells("laptop")] == [1, 2, 3, 4] * 2
    assert len(study.cells("full", seeds=2)) == 4
    assert study.claims[0].options == {"metric": "x", "value": 1} and study.claims[0].scale == "smoke"
    with pytest.raises(ValueError, match="--scale huge: rates has full, laptop, smoke"):
        study.cells("huge")


def test_a_study_of_several_parts(tmp_path: Path) -> None:
    parts = {"rates": {"seeds": 1, "options": {"trainer.max_epochs": 1}}}
    content = STUDY | {"scales": {"full": {"parts": parts, "only": {"optimizer.lr": [0.1]}}}}
    folder = written(tmp_path / "rates", content)
    (folder / "rates.sweep.yaml").write_text(yaml.safe_dump(SWEEP | {"parameters": {"model": {"value": "MLP"}}}))
    cells = read_study(folder).cells("full")
    assert [cell.part for cell in cells] == ["sweep"] * 3 + ["rates"]
    assert cells[-1].parameters == {"model": "MLP", "seed_everything": 1, "trainer.max_epochs": 1}
    odd = STUDY | {"scales": {"full": {"only": {"optimizer.lr": [0.1, 7.0]}}}}
    with pytest.raises(
        ValueError, match=r"scales\.full\.only: optimizer\.lr has the values \[0\.1, 0\.01\], and not all"
    ):
        read_study(written(tmp_path / "odd", odd)).cells("full")
    (folder / "sweep.yaml").unlink()
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | {"scales": {"full": {"seeds": 1}}}))
    assert [cell.part for cell in read_study(folder).cells("full")] == ["rates"]
    (folder / "rates.sweep.yaml").unlink()
    with pytest.raises(ValueError, match=r"has no sweep\.yaml: add the grid of its cells, or `runs: false`"):
        read_study(folder)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | {"runs": False}))
    assert read_study(folder).cells("laptop") == []
    (folder / "a.sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    with pytest.raises(ValueError, match=r"runs is false, and there is a\.sweep\.yaml: take one of them out"):
        read_study(folder)


def test_a_study_is_found_by_its_folder_or_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "rates")
    assert find(str(folder)) == folder
    with pytest.raises(ValueError, match="nowhere is no shipped study, and no folder with"):
        find("nowhere")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"titel": "x"}, "unknown key titel: known are asks, claims"),
        ({"title": None}, "has no title"),
        ({"scales": {"huge": {}}}, "scales.huge: a scale is one of smoke, laptop, full"),
        ({"scales": {"full": {"option": {}}}}, "scales.full has an unknown key option"),
        ({"scales": {"full": {"parts": {"x": {"option": {}}}}}}, r"scales.full.parts.x has an unknown key option"),
        ({"exhibits": [{"name": "x"}]}, r"exhibits\[0\] has no kind"),
        ({"claims": [{"says": "x", "source": "y"}]}, r"claims\[0\] has no check"),
        ({"claims": [{"says": "x", "source": "y", "check": "guess"}]}, "check: guess is none of best, beats, order"),
        ({"claims": ["x"]}, r"claims\[0\] must be a mapping, got a text"),
        ({"claims": [CLAIM | {"scale": "huge"}]}, r"claims\[0\].scale: huge is none of smoke, laptop, full"),
        ({"claims": [CLAIM | {"where": 1}]}, r"claims\[0\].where must be a mapping, got a number"),
        ({"claims": {"says": "x"}}, "claims must be a list, got a mapping"),
        ({"scales": ["smoke"]}, ": scales must be a mapping, got a list"),
        ({"scales": {"full": 3}}, "scales.full must be a mapping, got a number"),
        ({"scales": {"full": {"seeds": 0}}}, "scales.full.seeds must be at least 1, got 0"),
        ({"scales": {"full": {"seeds": True}}}, "scales.full.seeds must be a whole number, got true or false"),
        ({"scales": {"full": {"only": {"optimizer.lr": 0.1}}}}, "only.optimizer.lr must be a list of the values"),
        ({"notes": "one"}, ": notes must be a list, got a text"),
        ({"asks": ["one"]}, ": asks must be a text, got a list"),
        ({"runs": "no"}, ": runs must be true or false, got a text"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    content = {name: value for name, value in (STUDY | changed).items() if value is not None}
    with pytest.raises(ValueError, match=message) as refused:
        read_study(written(tmp_path / "rates", content))
    assert "study.yaml" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["study.yaml", "sweep.yaml"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r": the file is empty: it needs at least `\w+: "),
        ("a: [", ", line 1, column 5: not YAML"),
        ("title: x\n\tasks: y", ", line 2: a tab"),
        ("title: x\ntitle: y", ", line 2: title is there already, in line 1: take one out"),
        ("- a", ": expected a mapping such as"),
        ("title: \x00", ": not a text file"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = written(tmp_path / "rates")
    (folder / name).write_text(text)
    with pytest.raises(UserError, match=re.escape(str(folder / name)) + message):
        read_study(folder)


def test_an_empty_entry_is_as_none(tmp_path: Path) -> None:
    study = read_study(written(tmp_path / "rates", STUDY | {"notes": None, "names": None, "claims": None}))
    assert (study.notes, study.names, study.claims) == ((), {}, [])
