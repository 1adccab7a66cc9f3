"""What a run's data or module turn out to be, too late for the checks of a configuration."""


class Refusal(ValueError):
    """A mistake of the user's, or a limit of ours, that shows only when training has begun: no defect of a step."""
