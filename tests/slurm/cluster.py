"""A SLURM cluster of two nodes on this machine: munged, slurmctld and two slurmd, each a child of this process.

All of it lies in one folder, so that several clusters, and one of the machine's own, do not meet.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
NODES = ("n0", "n1")
CPUS = 4  # of each node, whatever the machine has
LOST_AFTER = 15  # seconds of silence after which a node is lost

_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldLogFile={folder}/slurmctld.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
ReturnToService=2
SlurmdTimeout={lost}
KillWait=5
SlurmdParameters=config_overrides
InactiveLimit=0
FirstJobId={first}
{nodes}
PartitionName=all Nodes=n0,n1 Default=YES MaxTime=60 State=UP
"""


class Cluster:
    """Two nodes of four cores each.

    Args:
        folder: folder of everything that the cluster keeps; short, as a socket lies in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.conf = folder / "slurm.conf"
        shim = folder / "bin" / "cadence"
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} {HOUSE}/cli.py "$@"\n')
        shim.chmod(0o755)
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.conf),
            "PATH": f"{shim.parent}:{os.environ['PATH']}:/usr/sbin",
            "PYTHONPATH": str(HOUSE),
            "PYTHONUNBUFFERED": "1",
            "MASTER_ADDR": "127.0.0.1",  # n0 and n1 are no names of machines
            "GLOO_SOCKET_IFNAME": "lo",
            "PYTHONFAULTHANDLER": "1",
        }

    def start(self) -> None:
        """Start the four daemons; returns once both nodes are idle."""
        host, ports = socket.gethostname().partition(".")[0], _free_ports(3)
        nodes = "\n".join(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} State=UNKNOWN"
            for name, port in zip(NODES, ports[1:], strict=True)
        )
        first = 1000 + os.getpid() % 900 * 10  # Lightning makes a port of a job's id
        self.conf.write_text(
            _CONF.format(host=host, controller=ports[0], folder=self.folder, nodes=nodes, lost=LOST_AFTER, first=first)
        )
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        names = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        files = [f"--{option}={self.folder}/munge.{name}" for option, name in names.items()]
        self._start("munged", "munged", "--foreground", "--force", *files)
        wait_until(lambda: (self.folder / "munge.socket").exists(), 20, "munged")
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: self.says("sinfo", "-h", "-o", "%t %D") == "idle 2", 60, "two idle nodes")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self._start(node, "slurmd", "-D", "-f", str(self.conf), "-N", node)

    def lose(self, node: str, with_jobs: bool = False) -> None:
        """Kill a node's daemon; its jobs' processes go on, as on a node that the network has lost.

        Args:
            node: name of the node.
            with_jobs: whether they are killed, too, as on a node that has no power.
        """
        self.daemons[node].kill()
        self.daemons[node].wait()
        if with_jobs:
            tasks = self._processes(f"SLURMD_NODENAME={node}")
            _kill([pid for pid in map(_parent, tasks) if _name(pid) == "slurmstepd"], tasks)

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder
            )

    def says(self, *command: str) -> str:
        """What a command prints."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, cwd=self.folder
        ).stdout.strip()

    def submit(self, cwd: Path, *words: object, environment: Mapping[str, str] | None = None) -> str:
        """Hand in a job from a folder; returns its id."""
        command = ["sbatch", "--parsable", *map(str, words)]
        done = subprocess.run(
            command, env=self.environment | (environment or {}), capture_output=True, text=True, timeout=60, cwd=cwd
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def job(self, job: str) -> dict[str, str]:
        """What the controller knows of a job."""
        words = self.says("scontrol", "show", "job", "-o", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def signal(self, job: str, name: str) -> None:
        """Send a signal to a job's steps."""
        self.says("scancel", f"--signal={name}", job)

    def restarted(self, job: str, seconds: float = 90) -> None:
        """Wait until a job is queued again, and let it start now, for an hour: SLURM has it wait for two minutes."""
        wait_until(lambda: self.job(job).get("Restarts", "0") != "0", seconds, f"job {job} to be queued again")
        wait_until(lambda: self.job(job).get("JobState") != "COMPLETING", seconds, f"job {job} to be over")
        # Within the two minutes its first start is gone, but for a copy on a lost node, which goes on; and its exit
        # status has been told, which would otherwise be taken for that of the second.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self._has_processes(job), 15, "the first start's processes to end")
        time.sleep(5)  # a node refuses a job in the second in which its first start's credential was revoked
        if self.job(job)["JobState"] == "PENDING":
            self.says("scontrol", "update", f"jobid={job}", "StartTime=now", "TimeLimit=60")

    def ended(self, job: str, seconds: float = 150) -> str:
        """Wait until a job has ended; returns its state."""
        over = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY")
        wait_until(lambda: self.job(job).get("JobState") in over, seconds, f"job {job} to end")
        return self.job(job)["JobState"]

    def end(self) -> None:
        """End all jobs and daemons, each by its id."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.says("scancel", "-u", "root", "--signal=KILL", "--full")
            self.says("scancel", "-u", "root")
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in self.daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()
        _kill(self._processes())

    def _has_processes(self, job: str) -> bool:
        """Whether a job has processes, among them those of SLURM that start the others and tell of their end."""
        number = self.job(job)["JobId"]
        commands = Path("/proc").glob("[0-9]*/cmdline")
        return bool(self._processes(f"SLURM_JOB_ID={number}")) or any(
            _read(command).startswith(f"slurmstepd: [{number}.".encode()) for command in commands
        )

    def _processes(self, *variables: str) -> list[int]:
        """The processes of this cluster's jobs, or those alone whose environment has these variables, too."""
        wanted = {f"SLURM_CONF={self.conf}".encode(), *(one.encode() for one in variables)}
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if wanted <= {*(entry / "environ").read_bytes().split(b"\0")}:
                        found.append(int(entry.name))
        return found


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _kill(*groups: list[int]) -> None:
    """Kill processes, each group only once the ones before are gone, so that none tells of another's end."""
    for pid in (pid for group in groups for pid in group):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def installed() -> bool:
    """Whether SLURM and munge are here."""
    return all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in PROGRAMS)


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until it is true.

    Raises:
        AssertionError: it was not, in all these seconds.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
