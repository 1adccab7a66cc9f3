"""Peak bytes in use by a device's allocator, phase by phase."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch.profiler import ProfilerActivity, profile, record_function

_MARK = "peak of "


class Peaks(Protocol):
    """Context around all phases; memory allocated before it does not count."""

    def __enter__(self) -> Self:
        """Start counting."""

    def __exit__(self, *exception: Any) -> None:
        """Stop counting."""

    def phase(self, name: str) -> AbstractContextManager[Any]:
        """Context around the operations of one phase."""

    def bytes(self) -> dict[str, int]:
        """The peak of each phase; call after the end."""


def peaks_of(device: str) -> Peaks:
    """The counter for a device.

    Raises:
        ValueError: neither cpu nor cuda, or there is no CUDA device; the message names what to choose.
    """
    if device not in ("cpu", "cuda"):
        raise ValueError(f"memory is measured on cpu or cuda, got {device}: choose one of them")
    if device == "cpu":
        return _CpuPeaks()
    if not torch.cuda.is_available():
        raise ValueError("memory cannot be measured on cuda: torch finds no CUDA device here: measure on cpu")
    return _CudaPeaks()


def free_bytes(device: str) -> int | None:
    """Bytes free on cpu or cuda; None where the system does not tell."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = (int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return next((1024 * amount for amount in kilobytes), None)


class _CpuPeaks:
    """Peaks of torch's CPU allocator, from the profiler's events for single blocks.

    The profiler's own running total includes leftovers of earlier profiles, so blocks are summed here, by address. Not
    counted are blocks from before and memory that kernels take without the allocator.
    """

    def __init__(self) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler prints its start and end to stderr
        self._profile = profile(activities=[ProfilerActivity.CPU], profile_memory=True)

    def __enter__(self) -> Self:
        self._profile.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._profile.__exit__(*exception)

    def phase(self, name: str) -> AbstractContextManager[Any]:
        return record_function(_MARK + name)

    def bytes(self) -> dict[str, int]:
        events = self._events()
        totals = list(_totals([event for event in events if event["name"] == "[memory]"]))
        peaks = {}
        for event in events:
            if event["name"].startswith(_MARK):
                start, end = event["ts"], event["ts"] + event["dur"]
                before = next((total for time, total in reversed(totals) if time < start), 0)
                within = [total for time, total in totals if start <= time <= end]
                peaks[event["name"].removeprefix(_MARK)] = max([before, *within])
        return peaks

    def _events(self) -> list[dict[str, Any]]:
        """Events of blocks and phases, in order of time."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            self._profile.export_chrome_trace(str(path))
            events = json.loads(path.read_text())["traceEvents"]
        named = [e for e in events if e.get("name", "").startswith(("[memory]", _MARK)) and e.get("ph") in ("X", "i")]
        return sorted(named, key=lambda event: event["ts"])


def _totals(events: list[dict[str, Any]]) -> Iterator[tuple[float, int]]:
    """Time and bytes in use after each event, an allocation (`Bytes` above 0) or a release."""
    alive: dict[int, int] = {}
    total = 0
    for event in events:
        size, address = event["args"]["Bytes"], event["args"]["Addr"]
        total -= alive.pop(address, 0)
        if size > 0:
            alive[address] = size
            total += size
        yield event["ts"], total


class _CudaPeaks:
    """Peaks of torch's caching allocator: blocks in use, with its rounding, without blocks that it caches.

    The workspaces of cuBLAS and cuDNN are included.
    """

    def __init__(self) -> None:
        self._peaks: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._before = torch.cuda.memory_allocated()
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        torch.cuda.reset_peak_memory_stats()
        yield
        self._peaks[name] = torch.cuda.max_memory_allocated() - self._before

    def bytes(self) -> dict[str, int]:
        return self._peaks
