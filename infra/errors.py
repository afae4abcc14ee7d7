"""What the command says when something is wrong: what happened, and what to do next. Never a stack trace."""


class UserError(Exception):
    """A problem that the user can act on. Exit code 1, or 2 for bad usage."""

    def __init__(self, what: str, next_step: str = "", *, exit_code: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step
        self.exit_code = exit_code
