"""Arguments of commands: both forms of a value, values that begin with a minus, and mistakes that name the remedy."""

from functools import partial
from pathlib import Path

import pytest

from commands.arguments import Parser, figure_path, one_of, whole_number, yaml_value
from commands.configuration.shipped import CONFIGS, config_paths, resolve_config_arguments
from commands.errors import UserError


@pytest.fixture
def parser() -> Parser:
    parser = Parser("try", "[options]", "Try it.")
    parser.value("--size", "3", type=partial(whole_number, usual=3), default=1)
    parser.value("--rate", "0.1", type=yaml_value)
    parser.value("--colour", "red", type=one_of(("red", "green")), default="red")
    parser.switch("--loud")
    parser.figure("drawn.png")
    return parser


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"size": 1, "rate": None, "colour": "red", "loud": False, "out": Path("drawn.png")}),
        (["--size", "4", "--loud"], {"size": 4, "loud": True}),
        (["--size=4", "--colour=green"], {"size": 4, "colour": "green"}),
        (["--size", "4", "--size", "5"], {"size": 5}),
        (["--size=4", "--size", "5"], {"size": 5}),
        (["--rate", "-1"], {"rate": -1}),
        (["--rate", "-1e-3"], {"rate": -0.001}),
        (["--rate", "1e-3"], {"rate": 0.001}),
        (["--rate=--a"], {"rate": "--a"}),
        (["--rate", "a=b"], {"rate": "a=b"}),
        (["--rate", "[1, a]"], {"rate": [1, "a"]}),
        (["--out", "other.svg"], {"out": Path("other.svg")}),
    ],
)
def test_values(parser: Parser, arguments: list[str], expected: dict[str, object]) -> None:
    given, words = parser.words(arguments)
    assert words == [] and {name: getattr(given, name) for name in expected} == expected


def test_the_rest_keeps_its_order(parser: Parser) -> None:
    rest = ["-c", "name", "--a.b+=C", "--siz", "9", "--x", "-1", "word", "--y=-2,3", "--z", "-2,3", "last"]
    for place in range(len(rest) + 1):
        given, found = parser.split([*rest[:place], "--size", "4", "--loud", *rest[place:]])
        assert found == rest and given.size == 4 and given.loud


def test_values_add_to_those_before(parser: Parser) -> None:
    given, _ = parser.words(["--size", "4", "--loud"])
    given, _ = parser.words(["--rate", "2"], given)
    assert (given.size, given.loud, given.rate) == (4, True, 2)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--size"], "--size needs a value: give it as --size 3"),
        (["--size="], "--size needs a value: give it as --size 3"),
        (["--size", ""], "--size needs a value: give it as --size 3"),
        (["--size", "--loud"], "--size needs a value: give it as --size 3"),
        (["--size", "0"], "--size must be a whole number of at least 1, got 0: 3 is usual"),
        (["--size", "-2"], "--size must be a whole number of at least 1, got -2: 3 is usual"),
        (["--size", "2.5"], "--size must be a whole number of at least 1, got 2.5: 3 is usual"),
        (["--loud=1"], "--loud takes no value, got '1': give --loud alone, or leave it out"),
        (["--colour", "gren"], "--colour must be one of red, green, got 'gren': nearest: green"),
        (["--colour", "x"], "--colour must be one of red, green, got 'x': choose one of them"),
        (["--siez", "3"], "--siez: there is no such option: nearest: --size"),
        (["--siez=3"], "--siez: there is no such option: nearest: --size"),
        (["--siz", "3"], "--siz: there is no such option: nearest: --size"),
        (["-q"], "-q: there is no such option: `cadence try --help` shows all"),
        (["--rate", "[1"], "--rate '[1' is no value: give a number, true, false, a text or [a, list]"),
        (["--out", "a.gif"], "--out a.gif: the figure must end in .png, .pdf, .svg: name it a.png"),
        (["--out", "no/a.png"], "--out no/a.png: there is no folder no: make it, or name another"),
    ],
)
def test_mistakes(parser: Parser, arguments: list[str], expected: str) -> None:
    with pytest.raises(UserError) as told:
        parser.words(arguments)
    assert str(told.value) == expected


@pytest.mark.parametrize("text", ["/", ".", "..", "a", "a.", ".png"])
def test_a_figure_without_a_suffix_gets_a_remedy(parser: Parser, text: str) -> None:
    with pytest.raises(UserError, match=r"name it .*\.png$"):
        parser.words(["--out", text])


def test_help_fits_80_columns(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser.words(["--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: cadence try [options]\n\nTry it.\n") and "drawn.png by default" in " ".join(
        shown.split()
    )
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert figure_path("a.pdf") == Path("a.pdf")


@pytest.mark.parametrize("form", [["-c", "digits_demo"], ["--config", "digits_demo"], ["-c=digits_demo"]])
def test_a_configuration_s_name_is_found_in_every_form(form: list[str]) -> None:
    resolved = resolve_config_arguments(["--a", "1", *form, "--config=digits_clr", "--b"])
    paths = [str(CONFIGS / "experiments" / f"{name}.yaml") for name in ("digits_demo", "digits_clr")]
    assert resolved == ["--a", "1", "--config", paths[0], "--config", paths[1], "--b"]
    assert config_paths(resolved) == paths
