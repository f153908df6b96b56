"""Asking a person before something is done that can't be undone."""

import sys

import click


def confirmed(question: str) -> bool:
    """Ask on standard error; only `y` or `yes` is a yes. A call that nobody can answer has to say --yes."""
    click.echo(f"{question} [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise click.UsageError("nobody is there to confirm: give --yes")
    return answer.strip().lower() in ("y", "yes")
