"""What is to be used instead of a part of Lightning's that is refused works, typed as the refusal says it."""

from pathlib import Path

import pytest
import yaml

from tests.commands.lightning_runs import FIT

# what is typed, by what is refused
REMEDIES: dict[str, list[str]] = {
    "overfit_batches": ["--data.val_fraction", "0.98"],
    "accumulate_grad_batches": ["--model.micro_batch_size", "16"],
    "gradient_clip_val": ["--model.gradient_clip_norm", "1"],
    "barebones": ["--trainer.enable_checkpointing", "false", "--trainer.enable_progress_bar", "false"],
    "default_root_dir": ["--run_dir", "elsewhere"],
    "Timer": ["--trainer.max_time", "00:12:00:00"],
    "BackboneFinetuning": ["--model.lr_ratios", "{layers: 0.1}"],
    "GradientAccumulationScheduler": [
        "--trainer.callbacks+=CyclicalBatchSize", "--trainer.callbacks.lower", "16", "--trainer.callbacks.upper", "32",
        "--trainer.callbacks.half_cycle", "1",
    ],
    "StochasticWeightAveraging": ["--trainer.callbacks+=WeightAveraging"],
    "SpikeDetection": [
        "--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val/loss",
        "--trainer.callbacks.divergence_threshold", "10",
    ],
    "LearningRateFinder": ["--trainer.callbacks+=LRRangeTest", "--trainer.callbacks.steps", "20"],
    "BatchSizeFinder": [
        "--trainer.callbacks+=BatchSizeRangeTest", "--trainer.callbacks.sizes", "[16,32,64]",
        "--trainer.callbacks.steps", "2",
    ],
    "WandbLogger": ["-c", "loggers/wandb.yaml", "--trainer.logger.init_args.mode", "disabled"],
    "transformer-engine": ["--trainer.precision", "bf16-mixed"],
    "check_val_every_n_epoch": ["--trainer.limit_val_batches", "0"],
    "val_check_interval": ["--trainer.val_check_interval", "17", "--trainer.check_val_every_n_epoch", "null"],
    "lr_scheduler.interval": ["--trainer.callbacks+=MultiStepLR", "--trainer.callbacks.milestones", "[1.0]"],
}  # fmt: skip


@pytest.mark.parametrize("refused", REMEDIES)
def test_what_is_to_be_used_instead_works(cadence, refused: str) -> None:
    Path("fit.yaml").write_text(yaml.safe_dump(FIT))
    run_dir = [] if "--run_dir" in REMEDIES[refused] else ["--run_dir", "run"]
    short = ["--trainer.max_steps", "2", "--test_after_fit", "false"]
    assert cadence("fit", "-c", "fit.yaml", *short, *run_dir, *REMEDIES[refused]) == 0


@pytest.mark.parametrize("command", ["lr-range-test", "batch-size-range-test"])
def test_what_has_a_part_in_training_alone_stays_out_of_a_range_test(cadence, command: str) -> None:
    """Some of it wants a logger for its rows, and a range test has none."""
    given = [{"class_path": name, "init_args": options} for name, options in {
        "LearningRateMonitor": {}, "EMAWeightAveraging": {}, "ModelCheckpoint": {},
        "EarlyStopping": {"monitor": "val/loss"},
    }.items()]  # fmt: skip
    logger = {"class_path": "CSVLogger", "init_args": {"save_dir": "logs"}}
    trainer = {**FIT["trainer"], "callbacks": given, "logger": logger}
    Path("fit.yaml").write_text(yaml.safe_dump({**FIT, "trainer": trainer}))
    short = ["--range_test.steps", "20"] if command.startswith("lr") else ["--range_test.steps", "2"]
    assert cadence(command, "-c", "fit.yaml", "--run_dir", "run", *short) in (0, 1)
    assert list(Path("run").glob("*_range_test.csv"))
