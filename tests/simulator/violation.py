"""What a run comes to when something does not hold."""


class Violation(BaseException):
    """Something that must hold does not. No worker's code catches it.

    Args:
        which: The invariant in a few words, the same for every case of it.
        what: This case.
    """

    def __init__(self, which: str, what: str) -> None:
        super().__init__(f"{which}: {what}")
        self.which = which
