"""What a W&B server answers to `wandb sweep` and `wandb agent`: a grid, trial by trial."""

import itertools
import json
from base64 import b64encode
from typing import Any

import yaml

VIEWER = {"id": "u", "username": "me", "email": "me@here", "entity": "me", "flags": "{}", "teams": {"edges": []}}
INFO = {"cliVersionInfo": {"max_cli_version": "1.0.0"}, "latestLocalVersionInfo": None, "features": []}


class SweepServer:
    """The grid of the last sweep that was sent, and the trials that were given out.

    `url` is its address.
    """

    def __init__(self, url: str) -> None:
        self.url, self.config, self.given = url, "", list[dict[str, Any]]()
        self.waiting: list[dict[str, Any]] = []

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Data of the reply to a query."""
        if "__type" in query:
            return {
                "__type": {"fields": [], "inputFields": []},
                "QueryType": {"fields": []},
                "MutationType": {"fields": []},
            }
        if "upsertSweep" in query:
            return {"upsertSweep": {"sweep": self._sent(variables["config"]), "configValidationWarnings": []}}
        if "createAgent" in query:
            return {"createAgent": {"agent": {"id": "agent"}}}
        if "agentHeartbeat" in query:
            busy = json.loads(variables.get("runState") or "{}")
            commands = [] if busy else [self._next()]
            return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}
        if "sweep(" in query:
            return {"project": {"id": "1", "name": "p", "sweep": self._sweep()}}
        return {"viewer": VIEWER, "serverInfo": INFO, "project": None, "model": None, "entity": {"name": "me"}}

    def _sent(self, config: Any) -> dict[str, Any]:
        content = yaml.safe_load(config) if isinstance(config, str) else config
        self.config = json.dumps(content)
        values = {name: one.get("values", [one.get("value")]) for name, one in content["parameters"].items()}
        self.waiting = [dict(zip(values, trial, strict=True)) for trial in itertools.product(*values.values())]
        return self._sweep()

    def _sweep(self) -> dict[str, Any]:
        project = {"id": "1", "name": "p", "entity": {"id": "1", "name": "me"}}
        named = {"id": b64encode(b"Sweep:s").decode(), "name": "s", "displayName": "s", "project": project}
        times = dict.fromkeys(("createdAt", "heartbeatAt", "updatedAt"), "2026-01-01T00:00:00")
        empty = dict.fromkeys(("description", "controller", "scheduler", "bestLoss"))
        runs = {"runs": {"edges": []}, "priorRuns": {"edges": []}, "runCount": 0, "earlyStopJobRunning": False}
        return {**named, **times, **empty, **runs, "method": "grid", "state": "RUNNING", "config": self.config}

    def _next(self) -> dict[str, Any]:
        if not self.waiting:
            return {"type": "exit"}
        trial = self.waiting.pop(0)
        self.given.append(trial)
        name = f"trial{len(self.given)}"
        stored = {"run_id": name, "run_storage_id": b64encode(f"Run:{name}".encode()).decode()}
        values = {key: {"value": value} for key, value in trial.items()}
        return {"type": "run", **stored, "args": values, "program": None, "resume": False}
