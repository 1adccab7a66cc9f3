"""When a target was first reached, and a clock that can be stopped; TimeToTarget measures with both."""

from typing import Any, NamedTuple

from timeline.position import Position


class Reading(NamedTuple):
    """An accuracy, and what had been spent by then; seconds of training, warm-up apart."""

    accuracy: float
    epochs: float
    steps: int
    samples: int
    seconds: float
    warm_up_seconds: float


class FirstPassage:
    """When an accuracy first reached a target: a pure function of the readings added.

    It keeps the readings that beat all earlier ones (`best`) and the newest (`last`), so that the target can be changed
    later.

    Args:
        target: accuracy, in (0, 1].
    """

    def __init__(self, target: float) -> None:
        self.target = target
        self.best: list[Reading] = []
        self.last: Reading | None = None

    @property
    def reached(self) -> Reading | None:
        """The first reading of at least the target."""
        return next((reading for reading in self.best if reading.accuracy >= self.target), None)

    def add(self, accuracy: float, position: Position, seconds: float, warm_up_seconds: float = 0.0) -> None:
        """Add an accuracy measured at a position of the stream."""
        reading = Reading(accuracy, position.epochs, position.step, position.samples, seconds, warm_up_seconds)
        if accuracy > (self.best[-1].accuracy if self.best else -1.0):
            self.best.append(reading)
        self.last = reading

    def spend(self, position: Position, seconds: float, warm_up_seconds: float = 0.0) -> None:
        """Add what has been spent by a position where nothing was measured."""
        accuracy = self.last.accuracy if self.last else float("nan")
        self.last = Reading(accuracy, position.epochs, position.step, position.samples, seconds, warm_up_seconds)

    def result(self) -> dict[str, Any]:
        """What the target took, else the whole budget so far; `best_accuracy` is the best of all readings."""
        spent = self.reached or self.last
        return {
            "target": self.target,
            "reached": self.reached is not None,
            "best_accuracy": self.best[-1].accuracy if self.best else None,
            **({} if spent is None else {key: value for key, value in spent._asdict().items() if key != "accuracy"}),
        }


class TrainingClock:
    """Counts seconds of training, and those of warm-up apart; it is started and stopped."""

    def __init__(self) -> None:
        self.seconds = {"training": 0.0, "warm_up": 0.0}
        self.part = "training"
        self._since: float | None = None

    @property
    def running(self) -> bool:
        """Whether the clock is running."""
        return self._since is not None

    def start(self, now: float) -> None:
        """Start, unless running."""
        self._since = now if self._since is None else self._since

    def stop(self, now: float) -> None:
        """Stop, if running."""
        if self._since is not None:
            self.seconds[self.part] += now - self._since
        self._since = None

    def switch(self, part: str, now: float) -> None:
        """Count towards `part` from now on."""
        running = self.running
        self.stop(now)
        self.part = part
        if running:
            self.start(now)


def sentence(result: dict[str, Any], name: str) -> str:
    """A `FirstPassage.result` in words, with `name` for what was measured."""
    spent = (
        f"{result['epochs']:.4g} epochs, {result['steps']:,} steps, {result['samples']:,} samples, "
        f"{result['seconds']:.1f} s of training and {result['warm_up_seconds']:.1f} s of warm-up"
        if "steps" in result
        else "nothing"
    )
    if result["reached"]:
        return f"{name} {result['target']:g}: reached after {spent}"
    best = "none measured" if result["best_accuracy"] is None else f"{result['best_accuracy']:.4f}"
    return f"{name} {result['target']:g}: not reached, best {best}, after {spent}"
