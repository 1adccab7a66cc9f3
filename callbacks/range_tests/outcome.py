"""What every range test's outcome can say of itself, so that one base class publishes them all."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from figures import Figure


class Told:
    """An outcome that a notebook shows in a line."""

    def summary(self) -> str:
        """The suggestion, or the refusal with its reason, in one line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary()}>"


class Outcome(Protocol):
    """What a range test has measured, and the suggestion that follows from it."""

    @property
    def bounds(self) -> tuple[Any, Any] | None:
        """Suggested (lower, upper); None with a refusal."""

    @property
    def refusal(self) -> str | None:
        """The reason why nothing is suggested; None with bounds."""

    @property
    def edges(self) -> tuple[str, ...]:
        """What of the suggestion lies at the edge of what was tried, a clause each; none with a refusal."""

    def rows(self) -> list[dict[str, Any]]:
        """Everything that was measured, a row each, for the CSV file; all rows have the same keys."""

    def table(self) -> list[dict[str, Any]]:
        """The suggestion and what it follows from, for the terminal: texts, and numbers that are printed short."""

    def record(self) -> dict[str, Any]:
        """The suggestion and what it follows from, for the JSON file: plain values, None where one is not known."""

    def figure(self, title: str = ...) -> "Figure | None":
        """The measurement and the suggestion, drawn under a title; None where there is nothing to draw."""

    def summary(self) -> str:
        """The suggestion, or the refusal with its reason, in one line."""
