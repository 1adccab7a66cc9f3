"""While modules are imported the collector of cycles rests, once in a process."""

import gc
import subprocess
import sys

import pytest

from tests.commands.test_surface import ROOT
from trainer.process import importing

CODE = """
import atexit, gc, sys
from trainer.process import importing
atexit.register(lambda: print("left out at the end:", gc.get_freeze_count()))  # called after what is registered later
try:
    with importing():
        assert not gc.isenabled()
        sys.modules["torch"] = sys
        if {fails}:
            raise ImportError("broken")
except ImportError:
    pass
assert gc.isenabled() and gc.get_freeze_count() > 0
with importing():
    assert gc.isenabled()
gc.disable()
del sys.modules["torch"]
with importing():
    pass
assert not gc.isenabled(), "whoever has switched it off finds it so"
"""


@pytest.mark.parametrize("fails", [False, True])
def test_the_collector_rests_while_modules_are_imported(fails: bool) -> None:
    command = [sys.executable, "-c", CODE.format(fails=fails)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "left out at the end: 0\n", "what is never collected passes for a leak"


DENORMALS = """
import sys
import torch
from trainer.process import flush_denormals
if "flush" in sys.argv:
    flush_denormals()
torch.set_num_threads(2)
print(int((torch.full((1_000_000,), 1e-30) * 1e-12 != 0).sum()))
"""


@pytest.mark.parametrize(("words", "left"), [(["flush"], "0"), ([], "1000000")], ids=["flushed", "kept"])
def test_denormals_are_zero_in_every_thread(words: list[str], left: str) -> None:
    command = [sys.executable, "-c", DENORMALS, *words]
    assert subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip() == left


def test_a_process_that_has_torch_is_left_alone() -> None:
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with importing():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
