"""As much of a W&B server, on loopback, as runs, resumes and sweeps ask of it; it keeps what it gets, and can fail."""

import gzip
import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.studies.sweep_server import SweepServer

KEY = "x" * 40


@dataclass
class Kept:
    """What came of one run: rows of its chart in the order in which they came, and what else was told of it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


class WandbServer(SweepServer):
    """Runs by their ids, artifacts by their names, views (workspaces, reports), and `url`, its address.

    `silent` answers nothing more, `rejecting` refuses every key, and `dead` closes every connection. `last_answer` is a
    word of the first request after which it is dead: `upsertBucket` begins a run, `file_stream` brings its rows.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.runs: dict[str, Kept] = {}
        self.files: dict[str, int] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.views: list[dict[str, Any]] = []
        self.silent = self.rejecting = self.dead = False
        self.last_answer: str | None = None

    def streamed(self, run: str, sent: dict[str, Any]) -> None:
        """Keep what a run's stream of files brings."""
        kept = self.runs[run]
        for name, part in (sent.get("files") or {}).items():
            if name == "wandb-history.jsonl":
                kept.rows += [json.loads(line) for line in part["content"]]
            elif name == "wandb-summary.json":
                kept.summary = json.loads(part["content"][-1])
        if sent.get("exitcode") is not None:
            kept.exit_code = sent["exitcode"]

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Data of the reply to a query."""
        if "upsertBucket" in query:
            name, new = variables["name"], variables["name"] not in self.runs
            kept = self.runs.setdefault(name, Kept())
            kept.told |= {key: value for key, value in variables.items() if value is not None and key != "config"}
            kept.config = json.loads(variables["config"]) if variables.get("config") else kept.config
            return {"upsertBucket": {"bucket": self._bucket(name), "inserted": new}}
        if "bucket(" in query and "historyTail" in query:
            name = variables.get("name") or variables.get("run") or ""
            return {"model": {"bucket": self._bucket(name) if name in self.runs else None}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/put/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}
        if "upsertView" in query:
            self.views.append(variables)
            name = variables.get("name") or "a-view"
            return {"upsertView": {"view": {"id": "v", "name": name}, "inserted": True}}
        if "internalId" in query:
            return {"project": {"id": "1", "internalId": "UHJvamVjdDox"}}
        if "models(" in query:
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            project = {"__typename": "Project", "id": "1", "name": "p", "entityName": "me", "isBenchmark": False}
            return {
                "models": {"pageInfo": page, "edges": [{"node": project | {"createdAt": "2026-01-01", "user": None}}]}
            }
        if artifact := self._artifact(query, variables):
            return artifact
        return super().answer(query, variables)

    def _artifact(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        if "createArtifactManifest" in query:
            file = {"id": "f", "name": "m", "displayName": "m", "uploadUrl": f"{self.url}/put/m", "uploadHeaders": []}
            return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}
        if "createArtifactFiles" in query:
            nodes = []
            for spec in variables["input"]["artifactFiles"]:
                place = {"uploadUrl": f"{self.url}/put/artifact/{spec['name']}", "uploadHeaders": []}
                names = {"id": spec["name"], "name": spec["name"], "displayName": spec["name"]}
                whole = {"storagePath": spec["name"], "uploadMultipartUrls": None, "artifact": {"id": "a"}}
                nodes.append({"node": names | place | whole})
            return {"createArtifactFiles": {"files": {"edges": nodes}}}
        if "commitArtifact" in query:
            return {"commitArtifact": {"artifact": {"id": "a", "digest": "d"}}}
        if "createArtifact" in query:
            self.artifacts[variables["input"]["artifactCollectionName"]] = variables["input"]
            sequence = {"id": "q", "latestArtifact": None}
            artifact = {"id": "a", "digest": "d", "state": "PENDING", "aliases": [], "artifactSequence": sequence}
            return {"createArtifact": {"artifact": artifact}}
        return None

    def _bucket(self, name: str) -> dict[str, Any]:
        kept = self.runs[name]
        project = {"id": "1", "name": "p", "entity": {"id": "1", "name": "me"}}
        counts = {"historyLineCount": len(kept.rows), "eventsLineCount": 0, "logLineCount": 0}
        tails = {"historyTail": json.dumps([json.dumps(row) for row in kept.rows[-1:]]), "eventsTail": "[]"}
        texts = {"config": json.dumps(kept.config), "summaryMetrics": json.dumps(kept.summary)}
        names = {
            "id": b64encode(f"Run:{name}".encode()).decode(),
            "name": name,
            "displayName": name,
            "project": project,
        }
        # `t` is the client's mark of a run that has begun.
        return {
            **names,
            **counts,
            **tails,
            **texts,
            "project": project,
            "wandbConfig": '{"t": {"1": 1}}',
            "sweepName": None,
            "tags": [],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Listening"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._say({})

    def do_PUT(self) -> None:
        body = self._body()
        self.server.kept.files[self.path.removeprefix("/put/")] = len(body)
        self._say({})

    def do_POST(self) -> None:
        body, kept = json.loads(self._body() or b"{}"), self.server.kept
        if self._failing():
            return
        with self.server.one_at_a_time:
            if self.path.startswith("/graphql"):
                self._say({"data": kept.answer(body["query"], body.get("variables") or {})})
            elif found := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                kept.streamed(found[1], body)
                self._say({"exitcode": None, "limits": {}})
            else:
                self._say({})
            if kept.last_answer is not None and kept.last_answer in self.path + body.get("query", ""):
                kept.dead = True

    def _failing(self) -> bool:
        kept = self.server.kept
        if kept.rejecting:
            self._say({"errors": [{"message": "invalid key"}]}, 401)
        elif kept.silent:
            self.server.over.wait()
        elif not kept.dead:
            return False
        self.close_connection = True
        return True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _say(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept = WandbServer(f"http://127.0.0.1:{self.server_port}")
        self.one_at_a_time, self.over = threading.Lock(), threading.Event()

    def handle_error(self, *_: object) -> None:
        """Clients go without a word: that is nothing to tell."""


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    """A server on loopback for as long as the block lasts."""
    listening = _Listening()
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening.kept
    finally:
        listening.over.set()
        listening.shutdown()
        thread.join()
        listening.server_close()
