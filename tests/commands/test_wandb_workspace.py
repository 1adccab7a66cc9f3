"""The dashboard at W&B, as W&B's own package sends it: each panel, its keys, and the bands over seeds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.beside import installed, python
from tests.wandb_server import KEY, wandb_server

pytestmark = [pytest.mark.pip, pytest.mark.slow]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("packages"), "wandb-workspaces==0.4.13")


def sent(packages: Path, cwd: Path, *words: str) -> dict[str, Any]:
    """The view that a loopback server got."""
    with wandb_server() as server:
        env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "HOME": str(cwd)}
        told = python(packages, cwd, "-m", "configs.wandb.workspace", "me", "p", *words, env=env)
        assert told.strip().splitlines()[-1].startswith(server.url)
    (view,) = server.views
    return view | {"spec": json.loads(view["spec"])}


def panels(content: Any) -> Iterator[dict[str, Any]]:
    """Every panel in a view."""
    if isinstance(content, dict):
        if "viewType" in content:
            yield content
        else:
            for value in content.values():
                yield from panels(value)
    elif isinstance(content, list):
        for value in content:
            yield from panels(value)


def test_the_workspace_of_a_project(packages: Path, tmp_path: Path) -> None:
    view = sent(packages, tmp_path, "--group", "optimizer.class_path")
    sections = {one["name"]: one["panels"] for one in view["spec"]["section"]["panelBankConfig"]["sections"]}
    for axis in ("samples_seen", "step"):
        shown = {(one["config"]["xAxis"], *one["config"]["metrics"]) for one in sections[f"Over {axis}"]}
        assert shown == {(axis, "train/loss", "val/loss"), (axis, "train/accuracy", "val/accuracy")}
    policies = [one["config"]["metrics"] for one in sections["Policies"]]
    assert policies == [["lr"], ["batch_size"], ["lr_over_batch_size"]]
    assert [one["config"]["mediaKeys"] for one in sections["Range tests"]] == [
        ["lr_range_test"], ["batch_size_range_test"],
    ]  # fmt: skip
    assert [one["config"]["metrics"] for one in sections["Time to target"]][-1] == ["time_to_target/seconds"]
    for one in sections["Seeds"]:
        config = one["config"]
        assert config["groupBy"] == "optimizer.value.class_path" and config["aggregate"] is True
        assert (config["groupAgg"], config["groupArea"]) == ("mean", "stddev")


def test_the_report_of_a_study(packages: Path, tmp_path: Path) -> None:
    view = sent(packages, tmp_path, "--study", "mlp_search")
    assert view["displayName"] == "mlp_search" and view["type"] == "runs/draft"
    text = json.dumps(view["spec"])
    assert '"name": "group"' in text and '"value": "mlp_search"' in text  # the cells' filter
    assert "cadence study report mlp_search" in text
    found = list(panels(view["spec"]))
    assert {"best/val/accuracy", "val/loss", "val/accuracy", "time_to_target/steps"} <= {
        name for one in found for name in one["config"]["metrics"]
    }
