"""Files and names that nobody writes, or somebody on purpose: ten seconds at most, and a message with the remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import Done, forked

MODEL = ["--model", "MLP", "--model.hidden_sizes", "[8]"]
QUIET = ["--trainer.enable_progress_bar", "false", "--test_after_fit", "false", "--trainer.num_sanity_val_steps", "0"]
FIT = [
    "fit", *MODEL, "--optimizer", "Adam", "--optimizer.lr", "0.01", "--trainer.max_steps", "1",
    "--trainer.accelerator", "cpu", *QUIET,
]  # fmt: skip
NINE = ", ".join(["*{}"] * 9)
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{NINE.replace('{}', f'a{n - 1}')}]\n" for n in range(1, 10)
)
DEEP = 3000

# name: (content of c.yaml, what the message must hold)
FILES: dict[str, tuple[str | bytes, list[str]]] = {
    "a list within itself": ("model: &a [*a]\n", ["line 1", "*a", "write it out"]),
    "options within themselves": ("model: &a {class_path: MLP, init_args: *a}\n", ["line 1", "write it out"]),
    "a document within itself": ("&a\nmodel: *a\n", ["line 2", "write it out"]),
    "a bomb": (BOMB, ["10,000 values", "aliases"]),
    "a bomb for a model": (BOMB + "model: *a9\n", ["10,000 values", "aliases"]),
    "a bomb by merging": (
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{l: *a{n - 1}, r: *a{n - 1}}}\n" for n in range(1, 30)),
        ["10,000 values"],
    ),
    "deep lists": ("model: " + "[" * DEEP + "]" * DEEP, ["50 levels", "brackets"]),
    "deep mappings": ("model: " + "{a: " * DEEP + "1" + "}" * DEEP, ["50 levels"]),
    "deep by spaces": ("".join(" " * n + "a:\n" for n in range(1000)) + " " * 1000 + "1", ["50 levels"]),
    "brackets that never close": ("model: " + "[" * 100_000, ["50 levels"]),
    "two megabytes": ("x" * 2_000_000, ["larger than 1 MB", "give a YAML file"]),
    "5,000 digits": ("seed_everything: " + "9" * 5000, ["line 1", "5,000 digits"]),
    "5,000 digits further in": (
        "data: {class_path: Digits, init_args: {batch_size: -" + "9" * 5000 + "}}",
        ["line 1", "5,000 digits"],
    ),
    "5,000 hexadecimal digits": ("seed_everything: 0x" + "f" * 5000, ["digits"]),
    "minutes and seconds for a number": (
        "data: {class_path: Digits, init_args: {batch_size: 1:30}}",
        ["data.batch_size", "a whole number", "'1:30'"],
    ),
    "a date that is none": ("run_dir: 2001-13-45\n", ["c.yaml", "quotes"]),
    "a list for the trainer": ("trainer: [1]", ["trainer", "mapping", "a list"]),
    "a number for the trainer": ("trainer: 1", ["trainer", "mapping", "a number"]),
    "a text for the trainer": ("trainer: abc", ["trainer", "mapping", "a text"]),
    "nothing for the trainer": ("trainer:", ["trainer is empty", "take it out"]),
    "nothing for the model": ("model:", ["model is empty", "take it out"]),
    "a list for a callback": ("trainer: {callbacks: [[LRRangeTest]]}", ["trainer.callbacks", "there are"]),
    "a number for callbacks": ("trainer: {callbacks: 1}", ["trainer.callbacks", "a list", "'1'"]),
    "a key twice": ("seed_everything: 1\nseed_everything: 2\n", ["line 2", "seed_everything", "line 1"]),
    "a key twice further in": ("trainer:\n  max_steps: 1\n  max_steps: 2\n", ["line 3", "max_steps", "line 2"]),
    "a key that is true": ("true: 3\n", ["'true' is not expected here", "--help"]),
    "a key that is a number": ("model: {class_path: MLP, init_args: {1: 2}}\n", ["model", "1", "NAME: VALUE"]),
    "a key that is nothing": ("trainer: {null: 2}\n", ["None", "NAME: VALUE"]),
    "a Python object": ("model: !!python/object/apply:os.system ['touch executed']\n", ["line 1", "!", "quotes"]),
    "an unknown tag": ("model: !mine MLP\n", ["line 1", "!mine", "quotes"]),
    "an alias of nothing": ("model: *x\n", ["line 1", "'x'", "quotes"]),
    "two documents": ("model: MLP\n---\nmodel: MLP\n", ["line 2", "---"]),
    "merging a number": ("<<: 3\n", ["line 1", "<<"]),
    "another file": ("config: other.yaml\n", ["config", "-c FIRST -c SECOND"]),
    "a null byte": (b"model: \x00\n", ["not a text file"]),
    "two bytes a letter": ("seed_everything: 3\n".encode("utf-16"), ["not a text file"]),
    "an escape": ('model: "\\e[31mMLP"\n', ["model", r"\x1b[31mMLP"]),
    "a long name": (f"model: {'x' * 5000}\n", ["model", "xxx...xxx", "there are"]),
}
# name: (words behind fit, what the message must hold)
WORDS: dict[str, tuple[list[str], list[str]]] = {
    "a bomb on the command line": (["--model", f"{{{BOMB.replace(chr(10), ', ')}}}"], ["--model", "10,000 values"]),
    "deep lists on the command line": (["--model.hidden_sizes=" + "[" * DEEP], ["--model.hidden_sizes", "50 levels"]),
    "5,000 digits on the command line": (["--seed_everything", "9" * 5000], ["--seed_everything", "5,000 digits"]),
    "a key twice on the command line": (["--model", "{class_path: A, class_path: B}"], ["--model", "class_path"]),
    "a list for the trainer on the command line": (["--trainer", "[1]"], ["trainer", "mapping"]),
    "a word for the trainer": (["--trainer", "abc"], ["trainer", "'abc'", "mapping"]),
    "home": (["--run_dir=~"], ["run_dir /", "not empty", "name another"]),
    "a line end in a name": (["--run_dir", "a\nb"], ["--run_dir", r"a\nb", "name another"]),
    "an escape in a name": (["--run_dir", "\x1b[31ma"], ["--run_dir", r"\x1b[31ma", "name another"]),
    "no text in a name": (["--run_dir", os.fsdecode(b"a\xff")], ["--run_dir", r"\udcff", "name another"]),
    "a null byte in a name": (["--run_dir", "a\0b"], ["--run_dir", r"a\x00b", "name another"]),
    "a name of 5,000 letters": (["--run_dir", "x" * 5000], ["run_dir", "too long", "name another"]),
    "a device as a file": (["-c", "/dev/null"], ["-c /dev/null: that is no regular file", "give a YAML file"]),
    "a directory as a file": (["-c", "/"], ["-c /: that is a directory", "give a YAML file"]),
    "an option without a name": (["--", "x"], ["'--' is not expected here", "fit --help"]),
    "an escape in a file's name": (["-c", "\x1b[31mred.yaml"], [r"\x1b[31mred", "cadence list"]),
}  # fmt: skip


def refused(done: Done, expected: list[str]) -> None:
    told = done.err.strip().splitlines()
    assert done.status == 2, done
    assert 1 <= len(told) <= 3 and told[0].startswith("cadence: "), done.err
    assert [part for part in expected if part not in done.err] == [], done.err
    assert "Traceback" not in done.err and all(len(line) <= 310 and line.isprintable() for line in told)


@pytest.mark.parametrize("name", FILES)
def test_a_file(name: str, tmp_path: Path) -> None:
    content, expected = FILES[name]
    (tmp_path / "c.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(forked(*FIT, "-c", "c.yaml", cwd=tmp_path), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


@pytest.mark.parametrize("name", WORDS)
def test_words(name: str, tmp_path: Path) -> None:
    words, expected = WORDS[name]
    home = tmp_path / "home"
    (home / "precious").mkdir(parents=True)
    refused(forked(*FIT, *words, cwd=tmp_path, env={"HOME": str(home)}), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


NAMES = ["[/foo]", "[red]x", ":smile:", "$a$", r"$\frac{$", "_under", "null", "a: b", "*a"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    """By a run, by the table and the figure of runs, which read markup, emoji and formulas, and by YAML."""
    done = forked(*FIT, "--run_dir", name, cwd=tmp_path)
    assert (done.status, done.err) == (0, "") and done.out.endswith(f"run directory: {name}\n")
    assert (tmp_path / name / "result.json").is_file()
    drawn = forked("plot-runs", name, cwd=tmp_path)
    assert (drawn.status, drawn.err) == (0, "") and f"│ {Path(name).name} " in drawn.out
    assert (tmp_path / "learning_curves.png").is_file()


def test_home_is_meant_behind_an_equals_sign_too(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home")}
    assert forked(*FIT, "--run_dir=~/a", cwd=tmp_path, env=home).status == 0
    (tmp_path / "home" / "b.yaml").write_text("run_dir: ~/b\n")
    assert forked(*FIT, "-c=~/b.yaml", cwd=tmp_path, env=home).status == 0
    assert forked("plot-runs", "~/a", "~/b", "--out=~/runs.png", cwd=tmp_path, env=home).status == 0
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["a", "b", "b.yaml", "runs.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"neither\n1\n", ["metrics.csv", "no column step"]),
        (b"neither\nnumbers\n", ["metrics.csv", "damaged", "'numbers'"]),
        (b"step,epoch,samples,seconds\n1,one,1,1\n", ["metrics.csv", "damaged", "'one'"]),
        (b"step,epoch,samples,seconds\n1,1\n", ["metrics.csv", "damaged"]),
        (b"step,epoch,samples,seconds\n1,1,1,1,1,1\n", ["metrics.csv", "damaged"]),
        (b"\x00" * 1000 + b"\n", ["metrics.csv"]),
        (bytes(range(256)), ["metrics.csv", "damaged"]),
        (b"", ["metrics.csv", "no row yet"]),
        (b"step,epoch,samples,seconds\n" + b"9" * 5000 + b",1,1,1\n", ["metrics.csv", "damaged"]),
        (b"step,epoch,samples,seconds\nnan,nan,nan,nan\n", ["metrics.csv", "damaged"]),
        ("step,epoch,samples,seconds\n" + "9" * 200_000 + ",1,1,1\n", ["metrics.csv", "damaged"]),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes | str) else "",
)
def test_a_metrics_csv_that_no_run_wrote(content: bytes | str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(forked("plot-runs", "run", cwd=tmp_path), expected)


def test_a_metrics_csv_that_a_spreadsheet_saved(tmp_path: Path) -> None:
    """It puts a byte-order mark before the first column's name."""
    assert forked(*FIT, "--run_dir", "run", cwd=tmp_path).status == 0
    path = tmp_path / "run" / "metrics.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    done = forked("plot-runs", "run", cwd=tmp_path)
    assert (done.status, done.err) == (0, "") and "│ run " in done.out


RESULTS = [
    '{"metrics": {"test/accuracy": "x"}}', '{"metrics": {"test/accuracy": [1]}}', '{"metrics": []}', "[]",
    "[" * 100_000, "9" * 5000, '{"metrics":', "\x00", '{"metrics": {"test/accuracy": {}}}',
]  # fmt: skip


@pytest.mark.parametrize("content", RESULTS, ids=lambda text: repr(text[:40]))
def test_a_result_that_no_run_wrote(content: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text("step,epoch,samples,seconds\n1,1,1,1\n")
    (tmp_path / "run" / "result.json").write_text('{"metrics": {"test/accuracy": null}}')
    assert forked("plot-runs", "run", cwd=tmp_path).status == 0
    (tmp_path / "run" / "result.json").write_text(content)
    refused(forked("plot-runs", "run", cwd=tmp_path), ["result.json", "damaged", "give the directory of a run"])


CLI = f"{sys.executable} {Path(__file__).parents[2] / 'cli.py'}"


@pytest.mark.parametrize(
    ("redirected", "status", "told"),
    [
        ("list >&-", 0, ""),
        ("list <&- >&- 2>&-", 0, ""),
        ("list >/dev/full", 2, "cadence: standard output: No space left on device"),
        ("lits >/dev/full 2>/dev/full", 2, ""),
        ("--help >/dev/full", 2, "cadence: standard output: No space left on device"),
        ("list | true; exit ${PIPESTATUS[0]}", 141, ""),
        ("describe --help | true; exit ${PIPESTATUS[0]}", 141, ""),
    ],
)
def test_a_stream_that_takes_nothing(redirected: str, status: int, told: str, tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-c", f"{CLI} {redirected}"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == status, done
    assert done.stderr.startswith(told) and len(done.stderr.splitlines()) == bool(told)


def full() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def closed() -> None:
    os.close(1)


def deserted() -> None:
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.close(reader)


@pytest.mark.parametrize("stream", [full, closed, deserted])
def test_a_run_does_not_end_for_its_output(stream, tmp_path: Path) -> None:
    done = forked(*FIT, "--trainer.enable_progress_bar", "true", "--run_dir", "run", cwd=tmp_path, first=stream)
    assert done.status == 0, done
    assert (tmp_path / "run" / "result.json").is_file()
    assert len(done.err.splitlines()) == (stream is full) and "Traceback" not in done.err
