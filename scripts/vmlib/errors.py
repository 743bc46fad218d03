"""The error that the command-line tools show as one sentence."""


class VmError(Exception):
    """Something the user can act on: what happened and what to do about it."""
