"""What came out of a batch-size range test, as a suggestion, as tables and as a figure."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from callbacks.range_tests.batch_size_rule import Count, Suggestion, suggest
from callbacks.range_tests.batch_size_trainings import FINISHED, Trained
from callbacks.range_tests.noise_scale import NoiseReadings, pooled
from callbacks.range_tests.outcome import Told

if TYPE_CHECKING:
    from figures import Figure


@dataclass(frozen=True, repr=False)
class BatchSizeOutcome(Told):
    """Trainings of each size from each seed, and the noise scale along the smallest one's.

    Attributes:
        lr: learning rate of all trainings, for a param group of ratio 1.
        trainings: a training for each seed and size, (seeds, sizes).
        readings: readings of the noise scale, one for each seed, or none at all.
    """

    lr: float
    trainings: list[list[Trained]]
    readings: list[NoiseReadings]

    @property
    def sizes(self) -> list[int]:
        """Batch sizes, (n,), with those that did not run."""
        return [one.size for one in self.trainings[0]]

    @property
    def unfinished(self) -> dict[int, str]:
        """Sizes that did not run to their end from every seed, each with its status."""
        every = [one for row in self.trainings for one in row]
        return {one.size: one.status for one in every if one.status != FINISHED}

    @cached_property
    def suggestion(self) -> Suggestion:
        """b_min and b_max, or a refusal."""
        starts = [one.start for row in self.trainings for one in row if np.isfinite(one.start)]
        return suggest(self.sizes, self.at_steps, self.at_samples, float(np.mean(starts)) if starts else 0.0)

    @property
    def bounds(self) -> tuple[int, int] | None:
        """Suggested (b_min, b_max); None with a refusal."""
        return self.suggestion.bounds

    @property
    def refusal(self) -> str | None:
        """The reason why nothing is suggested; None with bounds."""
        return self.suggestion.refusal

    @property
    def edges(self) -> tuple[str, ...]:
        """Which of the bounds lie at the edge of the sizes that ran; none with a refusal."""
        if self.bounds is None:
            return ()
        ran = [size for size in self.sizes if size not in self.unfinished]
        tried = (
            (self.bounds[0], min(ran), "b_min is the smallest"),
            (self.bounds[1], max(ran), "b_max is the largest"),
        )
        return tuple(f"{which} size that ran" for size, edge, which in tried if size == edge)

    @property
    def at_steps(self) -> Count:
        """Losses at an equal number of steps."""
        points = [[one.at_steps for one in row] for row in self.trainings]
        return Count(_table(points, "loss"), _table(points, "error"))

    @property
    def at_samples(self) -> Count:
        """Losses at an equal number of samples."""
        points = [[one.at_samples for one in row] for row in self.trainings]
        return Count(_table(points, "loss"), _table(points, "error"))

    @property
    def noise(self) -> dict[str, float]:
        """The noise scale in samples, by the time of its measurement; left out where the gradient drowns in noise."""
        if not self.readings:
            return {}
        readings = pooled(self.readings)
        values, trained = {"at the start": readings.at_start()}, readings.along()[1]
        if len(trained):
            values["after training"] = float(trained[-1])
        return {when: value for when, value in values.items() if np.isfinite(value)}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each seed and size; a loss that was not reached is None."""
        return [
            {
                "seed": seed,
                "size": one.size,
                "status": one.status,
                "steps": one.at_steps.steps,
                "loss_at_equal_steps": _number(one.at_steps.loss),
                "held_out_at_equal_steps": _number(one.at_steps.held_out),
                "steps_at_equal_samples": one.at_samples.steps,
                "loss_at_equal_samples": _number(one.at_samples.loss),
                "held_out_at_equal_samples": _number(one.at_samples.held_out),
                "seconds": round(one.seconds, 4),
            }
            for seed, row in enumerate(self.trainings)
            for one in row
        ]

    def table(self) -> list[dict[str, Any]]:
        """A row for each size, with means over the seeds, and one for the suggestion or the refusal."""
        levels = zip(self.sizes, self.at_steps.level(), self.at_samples.level(), strict=True)
        found = [
            {"size": f"{size:,}", "status": self.unfinished.get(size, FINISHED)}
            | {"loss at equal steps": float(at_steps), "loss at equal samples": float(at_samples)}
            for size, at_steps, at_samples in levels
        ]
        end = {"loss at equal steps": "", "loss at equal samples": ""}
        return [*found, {"size": "answer", "status": self.summary()} | end]

    def record(self) -> dict[str, Any]:
        """The suggestion, each size's mean losses, and the noise scale; plain values, None where one is not known."""
        readings = pooled(self.readings) if self.readings else None
        steps, values = readings.along() if readings is not None else ((), ())
        along = [{"step": int(step), "value": _number(value)} for step, value in zip(steps, values, strict=True)]
        sizes = [
            {"size": size, "status": self.unfinished.get(size, FINISHED)}
            | {"loss_at_equal_steps": _number(at_steps), "loss_at_equal_samples": _number(at_samples)}
            for size, at_steps, at_samples in zip(
                self.sizes, self.at_steps.level(), self.at_samples.level(), strict=True
            )
        ]
        noise = {"at_start": _number(readings.at_start()) if readings else None, "along": along}
        return asdict(self.suggestion) | {
            "edges": list(self.edges),
            "lr": self.lr,
            "sizes": sizes,
            "noise_scale": noise,
        }

    def figure(self, title: str = "Batch-size range test") -> "Figure":
        """The two curves, see `figures.batch_size_range_test`; the learning rate is added to the title."""
        from figures.batch_size_range_test import Panel, draw

        first = self.trainings[0][0]
        panels = []
        for name, attribute in (
            (f"after {first.at_steps.steps:,} steps each", "at_steps"),
            (f"after {first.at_steps.steps * first.size:,} samples each", "at_samples"),
        ):
            points = [[getattr(one, attribute) for one in row] for row in self.trainings]
            panels.append(Panel(name, _table(points, "loss"), _table(points, "held_out")))
        title = f"{title}, lr {self.lr:.2g}"
        sizes = np.array(self.sizes)
        return draw(sizes, panels, self.unfinished, self.noise, self.bounds, self.refusal, title, self.edges)

    def summary(self) -> str:
        """The suggestion, or the refusal with its reason, in one line; and the noise scale where it was measured."""
        noise = ", ".join(f"{value:,.0f} {when}" for when, value in self.noise.items())
        if self.bounds is None:
            answer = f"no suggestion, {self.refusal}"
        else:
            answer = f"batch sizes from {self.bounds[0]:,} to {self.bounds[1]:,}"
        return "; ".join([answer + (f" (noise scale {noise})" if noise else ""), *self.edges])


def _table(points: list[list[Any]], name: str) -> np.ndarray:
    return np.array([[getattr(point, name) for point in row] for row in points])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
