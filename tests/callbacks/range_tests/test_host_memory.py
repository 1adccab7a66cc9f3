"""What the host has left, and the guard that ends a step before the kernel ends the process."""

import math
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from callbacks.range_tests.batch_size_trainings import Trained
from tests.callbacks.on_the_side import measured
from trainer import host_memory
from trainer.host_memory import HostGuard, available

GB = 1_000_000_000


@pytest.fixture
def host(tmp_path: Path):
    """A kernel's tables: 20 GB, of which 10 are left, and no control groups."""
    (proc := tmp_path / "proc").mkdir()
    (proc / "self").mkdir()
    (proc / "meminfo").write_text(f"MemTotal:       {20 * GB // 1024} kB\nMemAvailable:   {10 * GB // 1024} kB\n")
    (proc / "self/cgroup").write_text("0::/\n")
    (tmp_path / "cgroup").mkdir()

    def left(line: str, files: dict[str, str]) -> float:
        (proc / "self/cgroup").write_text(f"1:cpuset:/\n{line}\n")
        for name, content in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return available(proc, tmp_path / "cgroup")

    return left


def test_without_groups_the_host_says(host) -> None:
    assert host("0::/", {}) == pytest.approx(9.6 * GB, abs=2048)  # 2 % of 20 GB in reserve


def test_a_group_of_version_2_grants_less(host) -> None:
    files = {
        "memory.max": "max",
        "memory.current": str(12 * GB),
        "job/memory.max": str(8 * GB),
        "job/memory.current": str(6 * GB),
        "job/memory.stat": f"anon {4 * GB}\ninactive_file {GB}",
        "job/step/memory.max": "max",
        "job/step/memory.current": str(5 * GB),
    }
    assert host("0::/job/step", files) == pytest.approx((8 * 0.98 - 6 + 1) * GB)


def test_a_group_of_version_1_grants_less(host) -> None:
    folder = "memory/slurm/job_7"
    files = {
        f"{folder}/memory.limit_in_bytes": str(4 * GB),
        f"{folder}/memory.usage_in_bytes": str(3 * GB),
        f"{folder}/memory.stat": f"total_inactive_file {GB // 2}",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": str(12 * GB),
        "memory/memory.stat": "total_inactive_file 0",
    }
    assert host("4:memory:/slurm/job_7", files) == pytest.approx((4 * 0.98 - 3 + 0.5) * GB)


def test_a_group_that_is_not_mounted_is_passed_over(host) -> None:
    assert host("0::/elsewhere", {}) == pytest.approx(9.6 * GB, abs=2048)


def test_where_nobody_says_there_is_no_end(tmp_path: Path) -> None:
    assert available(tmp_path, tmp_path) == math.inf


def test_this_host_has_memory_left() -> None:
    assert 0 < available() < 1e15


@pytest.fixture
def little(monkeypatch):
    """A host with so many bytes left, however much is let go; how often it was asked."""
    asked = []

    def be(left: float) -> list[float]:
        monkeypatch.setattr(host_memory, "available", lambda: asked.append(left) or left)
        return asked

    return be


def test_room_for_another_result_is_enough(little) -> None:
    little(4096.0)
    with HostGuard():
        torch.zeros(1024)
    with pytest.raises(MemoryError, match="GB of memory left"), HostGuard():
        torch.zeros(1025)
    with pytest.raises(MemoryError), HostGuard(processes=2):
        torch.zeros(1024)
    assert _get_current_dispatch_mode() is None


def test_a_gradient_is_stopped_in_its_middle(little) -> None:
    images = torch.ones(4, 3, 8, 8)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2304, 2))
    loss = net(images).sum()
    little(36_863.0)  # one byte less than the 4 x 64 x 6 x 6 values of the convolution
    with pytest.raises(MemoryError), HostGuard():
        loss.backward()


def test_the_kernel_is_asked_when_what_it_said_is_used_up(little) -> None:
    asked = little(1e6)
    with HostGuard():
        for _ in range(100):
            torch.zeros(12_500)
    assert 3 <= len(asked) <= 10  # 50 kB each


def test_sizes_that_the_host_cannot_hold_are_reported_and_the_others_are_the_same_to_the_bit(little) -> None:
    sizes = [30, 60, 240, 480]
    free = measured(sizes, 5)
    little(30_000.0)  # 64 values of 4 bytes an image
    guarded = measured(sizes, 5)
    assert [one.status for one in guarded] == ["finished", "finished", "out of memory", "out of memory"]
    assert [learnt(one) for one in guarded[:2]] == [learnt(one) for one in free[:2]]


def learnt(one: Trained) -> tuple[float, ...]:
    return (one.start, one.at_steps.loss, one.at_steps.held_out)


def test_a_learning_rate_range_test_is_not_guarded(little, fit) -> None:
    """It trains the run's own batches, which fit."""
    little(0.0)
    fit("run", "--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "20", "--trainer.max_steps", "1")
