"""The dashboard at W&B itself: a workspace for a project, and a report for a study, by W&B's own package.

    pip install 'cadence[dashboards]'
    python -m configs.wandb.workspace ENTITY cadence                               # the workspace of a project
    python -m configs.wandb.workspace ENTITY cadence --study mlp_initialization    # a report of a study, as a draft

Both print their address. `--group` names what tells configurations apart: seeds of one become a band.
"""

import argparse
from collections.abc import Sequence

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

GROUP = ("model.class_path", "optimizer.class_path")
AXES = ("samples_seen", "step")
TARGET = ("time_to_target/epochs", "time_to_target/steps", "time_to_target/samples", "time_to_target/seconds")


def curves(axis: str) -> list[wr.LinePlot]:
    """Losses and accuracies over an axis."""
    kinds = {"loss": ["train/loss", "val/loss"], "accuracy": ["train/accuracy", "val/accuracy"]}
    return [wr.LinePlot(title=f"{kind} over {axis}", x=axis, y=names) for kind, names in kinds.items()]


def policies() -> list[wr.LinePlot]:
    """Learning rate, batch size, and their ratio."""
    names = {"learning rate": "lr", "batch size": "batch_size", "lr / batch size": "lr_over_batch_size"}
    return [wr.LinePlot(title=title, x="samples_seen", y=[name]) for title, name in names.items()]


def range_tests() -> list[wr.MediaBrowser]:
    """The figures of the range tests."""
    return [wr.MediaBrowser(title=name, media_keys=[name]) for name in ("lr_range_test", "batch_size_range_test")]


def costs() -> list[wr.BarPlot]:
    """What it took to reach the target accuracy."""
    return [wr.BarPlot(title=name, metrics=[name], orientation="h") for name in TARGET]


def bands(group: str) -> list[wr.LinePlot]:
    """Mean and standard deviation over the runs that share a value of the configuration."""
    band = {"groupby": group, "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev", "aggregate": True}
    names = ("val/loss", "val/accuracy")
    return [wr.LinePlot(title=f"{name} by {group}", x="samples_seen", y=[name], **band) for name in names]


def workspace(entity: str, project: str, groups: Sequence[str] = GROUP) -> ws.Workspace:
    """The workspace of a project; nothing is sent.

    Args:
        entity: W&B's user or team.
        project: W&B's project.
        groups: options by which configurations are told apart, as in config.yaml without `init_args`.
    """
    panels = {f"Over {axis}": curves(axis) for axis in AXES} | {"Policies": policies(), "Range tests": range_tests()}
    panels |= {"Time to target": costs(), "Seeds": [panel for group in groups for panel in bands(group)]}
    sections = [ws.Section(name=name, panels=found, is_open=True) for name, found in panels.items()]
    settings = ws.RunsetSettings(groupby=[ws.Config(group) for group in groups])
    return ws.Workspace(entity=entity, project=project, name="Cadence", sections=sections, runset_settings=settings)


def report(entity: str, project: str, study: str, groups: Sequence[str] = GROUP) -> wr.Report:
    """A report of a study's cells, which are in its group; nothing is sent.

    Args:
        entity: W&B's user or team.
        project: W&B's project.
        study: name of the study.
        groups: options by which configurations are told apart.
    """
    cells = wr.Runset(entity=entity, project=project, name=study, filters=f"Metric('Group') = '{study}'")
    best = [
        wr.BarPlot(title="best validation accuracy", metrics=["best/val/accuracy"], groupby=group) for group in groups
    ]
    seeds = [panel for group in groups for panel in bands(group)]
    blocks = [
        wr.H1(text="Question"),
        wr.P(text="What is asked, and of which publication."),
        wr.H1(text="Seeds as bands"),
        wr.PanelGrid(runsets=[cells], panels=seeds),
        wr.H1(text="What came out"),
        wr.PanelGrid(runsets=[cells], panels=[*best, *costs()]),
        wr.P(text=f"Tables, statistics and verdicts: cadence study report {study}."),
    ]
    return wr.Report(entity=entity, project=project, title=study, blocks=blocks)


def main() -> None:
    """Send the workspace, or the report of a study, and print its address."""
    parser = argparse.ArgumentParser(description="the dashboard of a project at W&B, or the report of a study")
    parser.add_argument("entity", help="W&B's user or team")
    parser.add_argument("project", help="W&B's project")
    parser.add_argument("--study", help="name of a study, for a report of it in place of the workspace")
    parser.add_argument("--group", action="append", help="option that tells configurations apart, once for each")
    given = parser.parse_args()
    groups = given.group or GROUP
    if given.study:
        made = report(given.entity, given.project, given.study, groups).save(draft=True)
    else:
        made = workspace(given.entity, given.project, groups).save()
    print(made.url)


if __name__ == "__main__":
    main()
