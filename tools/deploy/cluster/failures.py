"""How a command ends without success: one line for the operator, and an exit status."""


class Failure(Exception):
    """Something is not as it should be; str() is the line that says what."""

    exit_status = 1


class UsageError(Failure):
    """The command line or the cluster file is wrong."""

    exit_status = 64
