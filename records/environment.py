"""Versions, hardware and commit, to be kept beside every figure measured."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds, and who asks for versions alone needs none
    import torch

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "jsonargparse", "numpy", "cadence")
# What Linux calls a CPU's instructions for bfloat16.
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
HERE = Path(__file__).resolve().parent.parent


def versions() -> dict[str, str]:
    """Versions of Python and of the packages on which a result depends."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def device_name(device: "torch.device") -> str:
    """Name of the GPU, or of the CPU."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


def cpu_name() -> str:
    """Model name of the CPU."""
    return _told_by_linux("model name") or platform.processor() or platform.machine()


def cpu_features() -> set[str]:
    """Instruction sets of the CPU, by the kernel's names; empty where the kernel does not tell."""
    return set((_told_by_linux("flags") or _told_by_linux("Features") or "").split())


def lacks_bfloat16() -> bool:
    """Whether this CPU has no instructions for bfloat16: it is 4 to 75 times slower in it than in float32."""
    features = cpu_features()
    return bool(features) and not features & _BFLOAT16


def _told_by_linux(name: str) -> str | None:
    """What /proc/cpuinfo says of the first core under a name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def commit(here: Path = HERE) -> str | None:
    """Commit of a checkout, with `+` where it was changed; None outside a checkout.

    What lies in results/ is what runs have written, and changes none.

    Args:
        here: folder of the checkout, by default that of this code.
    """
    if not (here / ".git").exists():
        return None
    try:
        head = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)results")
        return head + "+" if changed else head
    except (OSError, subprocess.SubprocessError):
        return None


def environment() -> dict[str, Any]:
    """Versions, commit, hardware and installed packages, as a JSON-ready dictionary."""
    import torch

    return {
        "versions": versions(),
        "commit": commit(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "denormals_flushed": bool(torch.tensor(1e-30) * 1e-12 == 0),  # torch can set it and not tell it
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "packages": list(installed()),
    }


@cache
def installed() -> tuple[str, ...]:
    """Installed packages as `name==version`, as this process first found them: there are hundreds of files to read."""
    described = (item.metadata for item in metadata.distributions())
    return tuple(sorted(f"{one['Name']}=={one['Version']}" for one in described if one["Name"]))


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
