"""Work that nobody waits for: one thing after the other, in a thread of its own."""

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Background:
    """Does what it is given in the order in which it came, and never makes the giver wait.

    Args:
        failed: function that is told, in that thread, what went wrong; what follows is done all the same.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def add(self, action: Callable[[], None]) -> None:
        """Do it, once all that came before is done."""
        self._waiting.put(action)

    def end(self, seconds: float) -> bool:
        """Let nothing more come, and wait for what is left, so many seconds at most; returns whether all is done."""
        self._waiting.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (action := self._waiting.get()) is not None:
            try:
                action()
            except Exception as error:
                self._failed(error)
