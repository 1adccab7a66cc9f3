"""The suite gives the same result from a terminal, under `nohup`, within a job, and from a git hook."""

import json
import subprocess
import sys
from pathlib import Path

from tests import starter

ROOT = Path(__file__).resolve().parents[1]
STRAY = {
    "RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "1", "WANDB_MODE": "online", "PL_TRAINER_MAX_EPOCHS": "1",
    "OMP_NUM_THREADS": "7", "COLUMNS": "20", "NO_COLOR": "1", "PYTHONWARNINGS": "error::UserWarning",
    "MPLBACKEND": "nonsense", "GIT_DIR": "/nowhere",
}  # fmt: skip
CHOSEN = {"CADENCE_DATA": "/data", "CUDA_VISIBLE_DEVICES": "1", "SSL_CERT_FILE": "/ca.pem", "PATH": "/bin"}
# A starter that ignores signals; the suite's conftest in a process of it; a child of that, as a test would start one.
STARTER = """
import os, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], sys.argv[2]])
"""
SUITE = "import subprocess, sys, tests.conftest; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
CHILD = """
import json, os, signal
told = {name: signal.getsignal(getattr(signal, name)).name for name in ("SIGTERM", "SIGHUP")}
told["SIGINT"] = signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(json.dumps([told, dict(os.environ)]))
"""


def test_a_suite_and_its_children_do_not_depend_on_the_starter() -> None:
    command = [sys.executable, "-c", STARTER, SUITE, CHILD]
    done = subprocess.run(command, cwd=ROOT, env=CHOSEN | STRAY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    signals, environment = json.loads(done.stdout)
    assert signals == {"SIGINT": True, "SIGTERM": "SIG_DFL", "SIGHUP": "SIG_IGN"}
    assert environment.items() >= (CHOSEN | starter.OURS).items()
    assert not (STRAY.keys() - starter.OURS.keys()) & environment.keys()


def test_what_the_user_chose_stays() -> None:
    environment = STRAY | CHOSEN
    starter.clean(environment)
    assert environment == CHOSEN | starter.OURS
