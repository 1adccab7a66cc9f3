"""Misspelt options are refused from the sources alone: their names there are those of the parsers proper."""

import subprocess
import sys
from pathlib import Path

import pytest

from commands.configuration.contents import contents
from commands.configuration.signatures import class_options, own_options, trainer_options
from commands.configuration.vocabulary import options, own_and_trainer_fields
from optimizers.capabilities import CAPABILITIES
from tests.commands.test_surface import TRAINERS, parser_of

ROOT = Path(__file__).parents[2]
CLASSES = [
    *(("model", "lightning_modules", name) for name in contents("models")),
    *(("data", "datamodules", name) for name in contents("datasets")),
    *(("optimizer", "optimizers", name) for name in CAPABILITIES),
]


@pytest.mark.parametrize("command", TRAINERS)
def test_the_options_of_a_command(command: str) -> None:
    fields = set(own_and_trainer_fields(parser_of(command))) - {"resume", "from", "at"}  # which are read before
    own = own_options(command)
    assert {name.removeprefix("trainer.") for name in fields if name.startswith("trainer.")} == set(trainer_options())
    assert {name for name in fields if not name.startswith("trainer.")} <= own
    assert own - fields - {"checkpoint", "split", "output", "trainer", "range_test", "from"} == set()


@pytest.mark.parametrize(("section", "package", "name"), CLASSES, ids=[name for _, _, name in CLASSES])
def test_the_options_of_a_class(section: str, package: str, name: str) -> None:
    theirs = [option for option in options(f"{package}.{name}") if option != "params"]
    assert class_options(section, name) == theirs
    assert class_options(section, f"elsewhere.{name}") is None


MISSPELT = {
    "fit --run_dri x": "nearest: run_dir",
    "fit -c digits_demo --trainer.max_epoch 3": "nearest: trainer.max_epochs",
    "fit --model MLP --model.hiddn_sizes [3]": "nearest: hidden_sizes",
    "fit -c digits_demo --model.hiddn_sizes [3]": "model.hiddn_sizes: ",
    "fit --data.batchsize 3": "nearest: batch_size",
    "fit --optimizer Adam --optimizer.lrr 3": "nearest: lr",
    "fit -c bad.yaml": "nearest: hidden_sizes",
    "fit -c worse.yaml": "nearest: trainer.max_steps",
    "fit --lr_scheduler StepLR --lr_scheduler.step 3": "nearest: step_size",
    "test --chekpoint x": "nearest: checkpoint",
    "lr-range-test -c digits_demo --range_test.stepps 30": "nearest: range_test.steps",
    "plot-schedule -c digits_demo --optt x": "nearest: out",
    "gradient-check -c digits_demo --laier x": "nearest: layer",
}


def test_misspelt_options_are_refused_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("model: {class_path: MLP, init_args: {hiden_sizes: [8]}}\n")
    (tmp_path / "worse.yaml").write_text("trainer: {max_step: 8}\n")
    lines = [
        "import sys; from cli import main",
        f"for words in {list(MISSPELT)}: print('status', main(words.split()), file=sys.stderr)",
        "print([m for m in ('torch', 'numpy', 'pytorch_lightning', 'jsonargparse') if m in sys.modules])",
    ]
    code = "\n".join(lines)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done
    told = done.stderr.split("status 2\n")
    for words, message in zip(MISSPELT, told, strict=False):
        assert MISSPELT[words] in message and message.startswith("cadence: "), (words, message)
    assert len(told) == len(MISSPELT) + 1


@pytest.mark.parametrize("words", ["--print_config", "--model.help=MLP", "--trainer.callbacks.help=EarlyStopping"])
def test_what_jsonargparse_adds_stays(words: str, cadence, capsys: pytest.CaptureFixture[str]) -> None:
    assert cadence("fit", "--model=MLP", "--optimizer=Adam", "--trainer.max_epochs=1", words) == 0
    assert capsys.readouterr().err == ""
