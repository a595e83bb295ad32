"""How long what runs may go on once a signal has asked to stop."""

from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.stopping import Stopping


class Patience:
    """Ends what runs, by `cancelled`, at a second signal, or some time after the first."""

    def __init__(self, stopping: Stopping, stop_timeout_ms: int, clock: Clock) -> None:
        """Begin with nothing ended."""
        self.stopping, self.cancelled = stopping, Cancellation()
        self._stop_timeout_ms, self._clock = stop_timeout_ms, clock
        self._stops_at_ms: int | None = None

    def seconds(self) -> float | None:
        """How long what runs may go on; None where nothing but its own limits bounds it."""
        if self.stopping.stopped_by is None or self.cancelled.is_set():
            return None
        now_ms = self._clock.monotonic_ms()
        if self._stops_at_ms is None:
            self._stops_at_ms = now_ms + self._stop_timeout_ms
        if self.stopping.is_impatient or now_ms >= self._stops_at_ms:
            self.cancelled.set()
            return None
        return (self._stops_at_ms - now_ms) / 1000
