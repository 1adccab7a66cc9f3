"""What Lightning and torch ship by name: whether it works in a run of Cadence, or why not and what to use instead.

Every name is in one of these tables, and a test walks Lightning's own lists: a name that a new version brings is in
none of them, and fails it until somebody has tried it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """One name that a configuration may use.

    Attributes:
        instead: reason why it is refused, and what to use instead; "" where it works.
        off: values of a refused argument of the trainer that ask for nothing.
        ours_alone: whether it is refused only where the model is an `ImageClassifier`, whose optimization is manual.
        base: whether it is refused by itself only, as a class that derives from it may work.
    """

    instead: str = ""
    off: tuple[Any, ...] = (None,)
    ours_alone: bool = False
    base: bool = False


WORKS = Part()
BASE = Part("is a base class, which does nothing by itself: name one that derives from it, or leave it out", base=True)
_SHARDS = "cuts a model into shards, and Cadence's checkpoints and optimizers need it whole: use ddp"
_XLA = "needs torch_xla, which Cadence is not run with: use cpu or cuda"
_COPIES = "starts processes that hand nothing back to the first, as a record needs: use ddp"
_CHECKPOINTS = "does not go with Cadence's own checkpoints, which are written whole or not at all: leave it out"
_SERVICE = "lets a server that does not answer end the run: log to W&B by `-c loggers/wandb.yaml`, or read metrics.csv"
_ENGINE = "needs Transformer Engine's layers, which no model here has: set trainer.precision to bf16-mixed"

TRAINER: Mapping[str, Part] = {
    "accelerator": WORKS,
    "strategy": WORKS,
    "devices": WORKS,
    "num_nodes": WORKS,
    "precision": WORKS,
    "logger": WORKS,
    "callbacks": WORKS,
    "fast_dev_run": WORKS,
    "max_epochs": WORKS,
    "min_epochs": WORKS,
    "max_steps": WORKS,
    "min_steps": WORKS,
    "max_time": WORKS,
    "limit_train_batches": WORKS,
    "limit_val_batches": WORKS,
    "limit_test_batches": WORKS,
    "limit_predict_batches": WORKS,
    "overfit_batches": Part(
        "does not hold here, where the samples of a step follow from the seed: train on fewer images instead, "
        "e.g. --data.val_fraction 0.98 for a fiftieth of them",
        off=(0, 0.0),
    ),
    "val_check_interval": WORKS,
    "check_val_every_n_epoch": WORKS,
    "num_sanity_val_steps": WORKS,
    "log_every_n_steps": WORKS,
    "enable_checkpointing": WORKS,
    "enable_progress_bar": WORKS,
    "enable_model_summary": WORKS,
    "accumulate_grad_batches": Part(
        "does not go with Cadence's training step, where a batch is a step\n"
        "set model.micro_batch_size instead, the largest chunk of a data.batch_size",
        off=(None, 1),
        ours_alone=True,
    ),
    "gradient_clip_val": Part(
        "does not go with Cadence's training step\nset model.gradient_clip_norm instead", off=(None, 0), ours_alone=True
    ),
    "gradient_clip_algorithm": Part(
        "does not go with Cadence's training step\nset model.gradient_clip_norm instead", ours_alone=True
    ),
    "deterministic": WORKS,
    "benchmark": WORKS,
    "inference_mode": WORKS,
    "use_distributed_sampler": WORKS,
    "profiler": WORKS,
    "detect_anomaly": WORKS,
    "barebones": Part(
        "leaves out all that makes a record: to time a bare step, set trainer.enable_checkpointing and "
        "trainer.enable_progress_bar to false instead",
        off=(False,),
    ),
    "plugins": WORKS,
    "sync_batchnorm": WORKS,
    "reload_dataloaders_every_n_epochs": WORKS,
    "default_root_dir": Part("has no part here: all that a run writes goes into its own directory: set --run_dir"),
    "enable_autolog_hparams": WORKS,
    "model_registry": Part("sends checkpoints away, which a run of Cadence keeps: leave it out"),
}

CALLBACKS: Mapping[str, Part] = {
    "BackboneFinetuning": Part(
        "adds nameless parameters to an optimizer of named ones, which torch refuses\n"
        "freeze or slow down layers by model.lr_ratios instead, e.g. --model.lr_ratios '{layers: 0.1}'",
        ours_alone=True,
    ),
    "BaseFinetuning": Part(
        "adds nameless parameters to an optimizer of named ones, which torch refuses\n"
        "freeze or slow down layers by model.lr_ratios instead, e.g. --model.lr_ratios '{layers: 0.1}'",
        ours_alone=True,
    ),
    "BasePredictionWriter": BASE,
    "BatchSizeFinder": Part(
        "trains the run itself to find out, and changes it: use the callback BatchSizeRangeTest, which trains copies, "
        "or `cadence batch-size-range-test`"
    ),
    "Callback": BASE,
    "Checkpoint": BASE,
    "DeviceStatsMonitor": WORKS,
    "EMAWeightAveraging": WORKS,
    "EarlyStopping": WORKS,
    "GradientAccumulationScheduler": Part(
        "does not go with Cadence's training step, where a batch is a step: use the callback CyclicalBatchSize for "
        "batches that grow, and model.micro_batch_size for those that do not fit",
        ours_alone=True,
    ),
    "LambdaCallback": WORKS,
    "LearningRateFinder": Part(
        "trains the run itself to find out, and changes it: use the callback LRRangeTest, which trains copies, "
        "with update_lr to train at what it suggests, or `cadence lr-range-test`"
    ),
    "LearningRateMonitor": WORKS,
    "ModelCheckpoint": WORKS,
    "ModelPruning": Part(
        "keeps its masks out of the checkpoints, so that a resumed run would be another one\n"
        "prune the weights of a finished run in Python instead, by torch.nn.utils.prune"
    ),
    "ModelSummary": WORKS,
    "OnExceptionCheckpoint": Part(
        "would keep a step that failed half-way, from where no run can go on: leave it out; "
        "checkpoint_every says how often last.ckpt is written"
    ),
    "ProgressBar": BASE,
    "RichModelSummary": WORKS,
    "RichProgressBar": WORKS,
    "SpikeDetection": Part(
        "reads the loss of each step, for which a step here does not wait: use EarlyStopping with its "
        "divergence_threshold instead",
        ours_alone=True,
    ),
    "StochasticWeightAveraging": Part(
        "makes a run longer by a pass for batch normalisation, which here would train: use EMAWeightAveraging or "
        "WeightAveraging instead"
    ),
    "TQDMProgressBar": WORKS,
    "ThroughputMonitor": Part(
        "waits for the device at each step: leave it out; metrics.csv has the samples and the seconds of each row"
    ),
    "Timer": Part("is what trainer.max_time makes: set that instead, e.g. --trainer.max_time 00:12:00:00"),
    "WeightAveraging": WORKS,
}

LOGGERS: Mapping[str, Part] = {
    "CSVLogger": WORKS,
    "CometLogger": Part(_SERVICE),
    "LitLogger": Part(_SERVICE),
    "Logger": BASE,
    "MLFlowLogger": Part(_SERVICE),
    "TensorBoardLogger": WORKS,
    "WandbLogger": Part(
        "lets a server that does not answer end the run: use Cadence's own instead, `-c loggers/wandb.yaml`"
    ),
}

PROFILERS: Mapping[str, Part] = {
    "AdvancedProfiler": WORKS,
    "PassThroughProfiler": Part("records nothing: leave it out"),
    "Profiler": BASE,
    "PyTorchProfiler": WORKS,
    "SimpleProfiler": WORKS,
    "XLAProfiler": Part(_XLA),
    "advanced": WORKS,
    "pytorch": WORKS,
    "simple": WORKS,
    "xla": Part(_XLA),
}

ACCELERATORS: Mapping[str, Part] = {
    "auto": WORKS,
    "cpu": WORKS,
    "cuda": WORKS,
    "gpu": WORKS,
    "mps": Part("lacks the float64 in which losses are summed: set it to cpu"),
    "tpu": Part(_XLA),
}

_DDP = ("ddp", "ddp_find_unused_parameters_false", "ddp_find_unused_parameters_true")
_DDP_COPIES = tuple(
    f"ddp_{start}{rest}"
    for start in ("spawn", "fork", "notebook")
    for rest in ("", "_find_unused_parameters_false", "_find_unused_parameters_true")
)
_DEEPSPEED = ("", "_stage_1", "_stage_2", "_stage_2_offload", "_stage_3", "_stage_3_offload", "_stage_3_offload_nvme")
STRATEGIES: Mapping[str, Part] = {
    "auto": WORKS,
    "single_device": WORKS,
    "DDPStrategy": WORKS,
    "SingleDeviceStrategy": WORKS,
    "Strategy": BASE,
    "ParallelStrategy": BASE,
    **dict.fromkeys(_DDP, WORKS),
    **dict.fromkeys(_DDP_COPIES, Part(_COPIES)),
    **dict.fromkeys([f"deepspeed{name}" for name in _DEEPSPEED], Part(_SHARDS)),
    **dict.fromkeys(["fsdp", "fsdp_cpu_offload"], Part(_SHARDS)),
    **dict.fromkeys(["DeepSpeedStrategy", "FSDPStrategy", "ModelParallelStrategy"], Part(_SHARDS)),
    **dict.fromkeys(["single_xla", "xla", "xla_debug", "single_tpu"], Part(_XLA)),
}

PLUGINS: Mapping[str, Part] = {
    "AsyncCheckpointIO": Part(_CHECKPOINTS),
    "BitsandbytesPrecision": Part("quantises linear layers that a checkpoint here keeps whole: leave it out"),
    "CheckpointIO": BASE,
    "ClusterEnvironment": BASE,
    "DeepSpeedPrecision": Part(_SHARDS),
    "DoublePrecision": WORKS,
    "FSDPPrecision": Part(_SHARDS),
    "HalfPrecision": WORKS,
    "LayerSync": BASE,
    "MixedPrecision": WORKS,
    "Precision": WORKS,
    "TorchCheckpointIO": Part(_CHECKPOINTS),
    "TorchSyncBatchNorm": WORKS,
    "TransformerEnginePrecision": Part(_ENGINE),
    "XLACheckpointIO": Part(_XLA),
    "XLAPrecision": Part(_XLA),
    **dict.fromkeys(
        ["KubeflowEnvironment", "LSFEnvironment", "LightningEnvironment", "MPIEnvironment", "SLURMEnvironment",
         "TorchElasticEnvironment"],
        WORKS,
    ),
    "XLAEnvironment": Part(_XLA),
}  # fmt: skip

PRECISIONS: Mapping[str, Part] = {
    **dict.fromkeys(["16", "32", "64", "bf16", "16-true", "16-mixed", "bf16-true", "bf16-mixed"], WORKS),
    **dict.fromkeys(["32-true", "64-true"], WORKS),
    **dict.fromkeys(["transformer-engine", "transformer-engine-float16"], Part(_ENGINE)),
}

OPTIMIZERS: Mapping[str, Part] = {
    **dict.fromkeys(
        ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop",
         "SGD"],
        WORKS,
    ),
    "LBFGS": Part(
        "computes the loss several times a step, and here a step is one gradient of one batch: use another, e.g. Adam",
        ours_alone=True,
    ),
    "Muon": Part("takes matrices alone, and networks here have biases too: use another, e.g. AdamW", ours_alone=True),
    "Optimizer": BASE,
    "SparseAdam": Part("takes sparse gradients alone, which no layer here has: use Adam", ours_alone=True),
}  # fmt: skip

_NESTED = (
    "takes other schedulers, which have to be made of the optimizer: make it in configure_optimizers of your module"
)
SCHEDULERS: Mapping[str, Part] = {
    **dict.fromkeys(
        ["ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "LambdaLR",
         "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "StepLR"],
        WORKS,
    ),
    "ChainedScheduler": Part(_NESTED),
    "LRScheduler": BASE,
    "SequentialLR": Part(_NESTED),
}  # fmt: skip

BY_FIELD: Mapping[str, Mapping[str, Part]] = {
    "trainer.accelerator": ACCELERATORS,
    "trainer.strategy": STRATEGIES,
    "trainer.precision": PRECISIONS,
    "trainer.profiler": PROFILERS,
    "trainer.plugins": PLUGINS,
    "trainer.callbacks": CALLBACKS,
    "trainer.logger": LOGGERS,
    "optimizer": OPTIMIZERS,
    "lr_scheduler": SCHEDULERS,
}


def that_work(table: Mapping[str, Part]) -> list[str]:
    """Names of a table that are not refused."""
    return sorted(name for name, part in table.items() if not part.instead)
