"""What Lightning, torch and jsonargparse say about a mistake, in terms of Cadence's own options."""

import re

_NO_SCALE = "the gradient of step .* is not finite at any loss scale"
_NO_SIZE = "reduce-overhead records each batch size for itself"
_NO_COMPILER = r"No working C\+\+ compiler found|Failed to find C compiler|Cannot find a working triton installation"
_NO_MEMORY = r"can't allocate memory: you tried to allocate \d+ bytes|(CUDA|HIP|XPU|MPS)\b.{,40}\bout of memory"
_NO_METRIC = r"ReduceLROnPlateau conditioned on metric (\S+) which is not available\. Available metrics are: \[(.*?)\]"
_TOO_LONG = r"Tried to step \d+ times\. The specified number of total steps is (\d+)"
# (pattern, message): the first pattern that is found anywhere decides; \1 ... are its groups.
TRANSLATIONS: tuple[tuple[str, str], ...] = (
    (
        _TOO_LONG,
        r"lr_scheduler: OneCycleLR has ended after \1 epochs: set lr_scheduler.total_steps to those of the run",
    ),
    (
        _NO_METRIC,
        r"lr_scheduler.monitor: nothing has logged \1 by the epoch's end: there are \2\nvalidate each epoch",
    ),
    (
        r"`max_epochs` must be .*You passed in (\S+?)\.?$",
        r"trainer.max_epochs must be 0 or more, or -1 for no limit, got \1: set it, e.g. --trainer.max_epochs 3",
    ),
    (
        r"`max_steps` must be .*You passed in (\S+?)\.?$",
        r"trainer.max_steps must be 0 or more, or -1 for no limit, got \1: set it, e.g. --trainer.max_steps 1000",
    ),
    (
        r"invalid accelerator name: `accelerator='(.*?)'`.*Available names are: (.*?)\.",
        r"trainer.accelerator: there is no accelerator '\1'; there are \2",
    ),
    (
        r"invalid strategy name: `strategy='(.*?)'`",
        r"trainer.strategy: there is no strategy '\1'; there are auto, ddp, single_device ...",
    ),
    (
        r"No supported gpu backend found|`?(CUDA|MPS|TPU|XLA)Accelerator`? can not run on your system",
        "trainer.accelerator: this machine has no such accelerator: set it to cpu, or to auto for the best there is",
    ),
    (
        r"You requested gpu: (.*?)\s+But your machine only has: (.*)",
        r"trainer.devices: asked for gpu \1, but this machine has \2: lower it, or set it to auto",
    ),
    (
        r"You requested to check (\S+) of the `(\w+)_dataloader` but \S+ \* (\d+) < 1",
        r"trainer.limit_\2_batches: a share of \1 of \3 batches is less than one: give a number of batches, "
        r"e.g. --trainer.limit_\2_batches 1",
    ),
    (
        r"`val_check_interval` \((\d+)\) must be less than or equal to the number of the training batches \((\d+)\)",
        r"trainer.val_check_interval is \1, more than the \2 steps of an epoch: lower it, or count over epochs by "
        "--trainer.check_val_every_n_epoch null",
    ),
    (
        r"Found more than one stateful callback of type `(\w+)`",
        r"trainer.callbacks: a checkpoint cannot tell the states of two \1 apart: keep one of them",
    ),
    (
        r"When passing string value for the `profiler` parameter",
        "trainer.profiler: there is none of that name; there are simple, advanced and pytorch",
    ),
    (r"Invalid learning rate: (\S+)", r"optimizer.lr must be positive, got \1: try 0.001"),
    (r"Invalid weight_decay value: (\S+)", r"optimizer.weight_decay must not be negative, got \1: 0 is none"),
    (r"Invalid momentum value: (\S+)", r"optimizer.momentum must not be negative, got \1: 0.9 is usual"),
    (r"Invalid epsilon value: (\S+)", r"optimizer.eps must not be negative, got \1: 1e-8 is usual"),
    (r"Invalid beta parameter at index \d: (\S+)", r"optimizer.betas must lie in [0, 1), got \1: try [0.9, 0.999]"),
    (r"Invalid (alpha|rho) value: (\S+)", r"optimizer.\1 must lie in [0, 1], got \2: 0.9 is usual"),
    (
        r"without overflow|int too (large|big) to convert",
        "optimizer: one of its numbers is too large for the weights' type: lower it",
    ),
    (
        _NO_MEMORY,
        "data.batch_size: there is not enough memory for a step: lower it\n"
        "or set model.micro_batch_size, the number of images that are in memory at a time",
    ),
    (
        r"Nesterov momentum requires",
        "optimizer.nesterov needs momentum and no dampening: set optimizer.momentum to 0.9",
    ),
    (
        r"loaded state dict (contains a parameter group that doesn't match|has a different number of parameter groups)",
        "{checkpoint}: its optimizer does not fit, as it has other parameter groups\n"
        "resume with the model options that the run was started with",
    ),
    (
        r"Expected more than 1 value per channel when training",
        "data.batch_size: a chunk of one image reached batch normalisation, which needs two or more\n"
        "set data.drop_last to true, or data.batch_size or model.micro_batch_size so that no chunk of one remains",
    ),
    (
        r"Timed out after (\d+) seconds waiting for clients. (\d+)/(\d+) clients joined",
        r"trainer: \2 of \3 processes came within \1 seconds: look into the others' logs\n"
        "or set trainer.devices and trainer.num_nodes to what was started",
    ),
    (
        _NO_COMPILER,
        "model.compile: torch finds no compiler on this machine, which it needs to compile a network\n"
        "install g++ (and Triton for a GPU), or set model.compile to null",
    ),
)
_FOUND_LATE = re.compile(
    r"Early stopping conditioned on metric `(?P<stop>.*?)` which is not available"
    r".*?any of the following: (?P<names>.*)|"
    r"`ModelCheckpoint\(monitor='(?P<keep>.*?)'\)` could not find the monitored key in the returned metrics: "
    r"\[(?P<known>.*?)\]",
    re.DOTALL,
)
_MISMATCH = re.compile(
    r"Missing key\(s\) in state_dict: (?P<missing>\".*?\")|Unexpected key\(s\) in state_dict: (?P<unexpected>\".*?\")|"
    r"size mismatch for (?P<name>\S+): .*?Size\((?P<theirs>\[.*?\])\).*?Size\((?P<ours>\[.*?\])\)"
)


def found_late(message: str) -> bool:
    """Whether an error that came after the first batch is a mistake all the same."""
    late = (_NO_COMPILER, _NO_MEMORY, _NO_SIZE, _NO_SCALE, _NO_METRIC, _TOO_LONG, _FOUND_LATE)
    return any(re.search(pattern, message) for pattern in late)


def translated(message: str, checkpoint: str = "the checkpoint") -> str:
    """The message in Cadence's terms if it is a known one, else unchanged; `checkpoint` names the checkpoint."""
    if (match := re.search(r"Error\(s\) in loading state_dict for (\w+):", message)) is not None:
        return f"{checkpoint} does not fit {match[1]}: {_mismatch(message)}"
    if (match := _FOUND_LATE.search(message)) is not None:
        name, monitor = ("EarlyStopping", match["stop"]) if match["stop"] else ("ModelCheckpoint", match["keep"])
        names = re.sub(r"[`']", "", match["names"] or match["known"])
        return f"trainer.callbacks: {name} cannot monitor {monitor}: there are {names}"
    for pattern, replacement in TRANSLATIONS:
        if match := re.search(pattern, message, re.DOTALL):
            return match.expand(replacement).replace("{checkpoint}", checkpoint)
    return message


def _mismatch(message: str) -> str:
    what = "its parameters differ"
    if match := _MISMATCH.search(message):
        if match["missing"]:
            what = f"it has no {match['missing']}"
        elif match["unexpected"]:
            what = f"it has {match['unexpected']}, which the model lacks"
        else:
            what = f"{match['name']} is {match['theirs']} there and {match['ours']} in the model"
    return (
        f"{what}\n"
        "use the model, its options and the dataset that made it: `cadence test --run_dir RUN` takes them from the run"
    )
