"""The addresses at which Stash shows pictures."""


def is_own(address: str | None) -> bool:
    """Whether an address is that of a picture that was set, and not of a default one."""
    return bool(address) and "default=true" not in str(address)
