"""Step time of `cadence fit` as shipped, against the loops that people write: SmallCNN, batch 64, MNIST in memory.

    python benchmarks/step_overhead.py [--threads N] [--rounds 40] [--steps 25] [--out results/step_overhead.csv]

Four ways to train the same network run as four processes (the allocator's thresholds are a process's own), each warmed
up and then idle until it is its turn. A round gives each of them one turn of some steps, so that a neighbour on the
machine disturbs all alike; the table shows medians of the turns and of the ratios within a round.

Torch's own number of threads by default. With one thread the network takes more of the step, and the ratios are better.

  fit    `cadence fit` as shipped: progress bar, metrics.csv, checkpoints
  bare   (a) a PyTorch loop as people write it: float tensors in memory, torch's defaults, the report's network
  tuned  (b) the same loop tuned as `fit` is: process settings, channels-last, uint8 gather, counts kept in tensors
  stock  (c) Lightning with DataLoader, torchvision transforms, torchmetrics and self.log at every step
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from records.files import write_csv

ARMS = ("fit", "bare", "tuned", "stock")
TARGETS = {"bare": 0.65, "tuned": 1.15, "stock": 0.40}


class Turns:
    """One arm's side of the pipe: `finish` reports a turn's seconds and sleeps until the next one."""

    def __init__(self, steps: int, warm_up: int) -> None:
        self.left, self.steps, self.since = warm_up, steps, 0.0
        self.channel = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # progress bars and tables go to stderr; the pipe is for figures

    def step_done(self) -> None:
        """Count a step; at the end of a turn report and wait."""
        self.left -= 1
        if self.left:
            return
        print(time.perf_counter() - self.since, file=self.channel, flush=True)
        if not sys.stdin.readline():
            os._exit(0)
        self.left, self.since = self.steps, time.perf_counter()


def arrays():
    """MNIST's training images (n, 28, 28, 1) and labels."""
    from datamodules.sources import load_arrays

    loaded = load_arrays("MNIST")
    return loaded.train_images, loaded.train_labels


def fit(turns: Turns) -> None:
    """Cadence, through its own command line."""
    import pytorch_lightning as pl

    import cli
    from commands.configuration.cadence_cli import CadenceCLI

    class Pace(pl.Callback):
        def on_train_batch_end(self, *_: object) -> None:
            turns.step_done()

    build = CadenceCLI.build_trainer
    CadenceCLI.build_trainer = lambda self, extra, **kw: build(self, [*extra, Pace()], **kw)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        cli.main(
            ["fit", "-c", "small_cnn_mnist", "--trainer.max_epochs", "1000", "--run_dir", f"{folder}/run", "--debug"]
        )


def bare(turns: Turns) -> None:
    """A plain PyTorch loop, as commonly written."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
            self.conv2 = nn.Conv2d(16, 4, kernel_size=3, padding=1)
            self.fc1 = nn.Linear(196, 10)
            self.pool = nn.MaxPool2d(2, 2)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            return F.log_softmax(self.fc1(x.view(-1, 196)), dim=1)

    images, labels = arrays()
    x = (torch.tensor(images).reshape(-1, 1, 28, 28).float() / 255 - 0.1307) / 0.3081
    y = torch.tensor(labels).long()
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    while True:
        order, running, correct = torch.randperm(len(x)), 0.0, 0
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            optimizer.zero_grad()
            output = net(x[batch])
            loss = F.nll_loss(output, y[batch])
            loss.backward()
            optimizer.step()
            running += loss.item()
            correct += (output.argmax(1) == y[batch]).sum().item()
            turns.step_done()


def tuned(turns: Turns) -> None:
    """The same loop with all of `fit`'s optimisations, and nothing else."""
    from trainer.process import settle

    settle()
    import torch
    import torch.nn.functional as F

    from lightning_modules import SmallCNN

    images, labels = arrays()
    x, y = torch.from_numpy(images), torch.tensor(labels).long()
    net = SmallCNN().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    loss_sum, correct = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
    while True:
        order = torch.randperm(len(x))
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            pixels, target = x.index_select(0, batch).permute(0, 3, 1, 2), y.index_select(0, batch)
            optimizer.zero_grad()
            logits = net(pixels.float().mul_(1 / (255 * 0.3081)).sub_(0.1307 / 0.3081))
            loss = F.cross_entropy(logits, target)
            loss.backward()
            optimizer.step()
            loss_sum.add_(loss.detach(), alpha=64)
            correct.add_((logits.detach().argmax(1) == target).sum())
            turns.step_done()


def stock(turns: Turns) -> None:
    """Lightning, written as in its tutorials."""
    import pytorch_lightning as pl
    import torch
    import torch.nn.functional as F
    import torchmetrics
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    images, labels = arrays()

    class Images(Dataset):
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, index: int):
            return self.transform(Image.fromarray(images[index, :, :, 0])), int(labels[index])

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(16, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(196, 10),
            )  # fmt: skip
            self.accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=10)

        def training_step(self, batch, _):
            x, y = batch
            logits = self.net(x)
            loss = F.cross_entropy(logits, y)
            self.accuracy(logits, y)
            self.log("train_loss", loss, prog_bar=True)
            self.log("train_acc", self.accuracy, prog_bar=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    class Pace(pl.Callback):
        def on_train_batch_end(self, *_: object) -> None:
            turns.step_done()

    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(max_epochs=1000, callbacks=[Pace()], default_root_dir=folder, enable_model_summary=False)
        trainer.fit(Net(), DataLoader(Images(), batch_size=64, shuffle=True))


def main() -> None:
    """Run one arm (in its process), or all of them in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="torch threads of each arm; torch's default otherwise")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        globals()[options.arm](Turns(options.steps, warm_up=30))
        return
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    else:
        import torch

        options.threads = torch.get_num_threads()
    times = measure(options.rounds, options.steps)
    report(times, options)


def measure(rounds: int, steps: int) -> dict[str, list[float]]:
    """Microseconds a step of each arm, one figure a round."""
    command = [sys.executable, __file__, "--steps", str(steps), "--arm"]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    running = {arm: subprocess.Popen([*command, arm], **quiet) for arm in ARMS}  # type: ignore[call-overload]
    times: dict[str, list[float]] = {arm: [] for arm in ARMS}
    try:
        for arm in ARMS:
            if not running[arm].stdout.readline():
                raise SystemExit(f"{arm} ended before its first turn; run it alone: {' '.join(command)} {arm}")
        shuffle = random.Random(1)  # always behind the same other, an arm would find that one's leavings in the caches
        for number in range(rounds):
            for arm in shuffle.sample(ARMS, len(ARMS)):
                running[arm].stdin.write("go\n")
                running[arm].stdin.flush()
                times[arm].append(float(running[arm].stdout.readline()) / steps * 1e6)
            print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    print(file=sys.stderr)
    return times


def report(times: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Print the table; write it as CSV where asked."""
    from records.environment import cpu_name, versions

    rows = []
    for arm in ARMS:
        ratios = [mine / other for mine, other in zip(times["fit"], times[arm], strict=True)]
        quarter = statistics.quantiles(times[arm], n=4)
        rows.append(
            {
                "arm": arm,
                "us_per_step_median": round(quarter[1]),
                "us_per_step_q1": round(quarter[0]),
                "us_per_step_q3": round(quarter[2]),
                "fit_to_arm_median": round(statistics.median(ratios), 3),
                "target": TARGETS.get(arm, ""),
                "rounds": options.rounds,
                "steps_per_turn": options.steps,
                "threads": options.threads,
                "cpu": cpu_name(),
                "cores": os.cpu_count(),
                "torch": versions()["torch"],
                "lightning": versions()["pytorch-lightning"],
                "date": datetime.now(UTC).date().isoformat(),
            }
        )
    layout = "{:<6} {:>9} {:>17} {:>10} {:>7}"
    print(layout.format("arm", "us/step", "(quartiles)", "fit / arm", "target"))
    for row in rows:
        spread = f"({row['us_per_step_q1']} - {row['us_per_step_q3']})"
        print(layout.format(row["arm"], row["us_per_step_median"], spread, row["fit_to_arm_median"], row["target"]))
    machine = f"{rows[0]['cpu']}, {rows[0]['cores']} cores; torch {rows[0]['torch']}, Lightning {rows[0]['lightning']}"
    print(f"{options.rounds} rounds of {options.steps} steps, {options.threads} threads; {machine}; {rows[0]['date']}")
    if options.out:
        write_csv(options.out, rows)


if __name__ == "__main__":
    main()
