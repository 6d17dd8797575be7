"""What a status says of itself: a failed run's reason is the text of the status that failed."""

from ophyd import StatusBase
from ophyd.utils import StatusTimeoutError


def outcome(status: StatusBase, action: str, advice: str) -> str:
    """Say what was asked and, once it failed, why.

    Parameters
    ----------
    status
        The status of the action.
    action
        What was asked, for example ``"move of x (SIM:x) from 0 to 5 um"``.
    advice
        What to check when the time ran out.
    """
    error = status.exception(timeout=0) if status.done else None
    if error is None:
        return action
    if isinstance(error, StatusTimeoutError):
        return f"{action} not done within {status.timeout:.3g} s: {advice}"
    return f"{action} failed: {error}"
