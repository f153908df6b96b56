"""`plexsync completion`: the script with which a shell completes commands, options, causes and scenes."""

import click

from plexsync.cli.call import FINE, Call, command
from plexsync.cli.main import script_of

# The place for the script of each shell, or the line that loads it.
WHERE = {
    "bash": 'eval "$(plexsync completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(plexsync completion zsh)" in ~/.zshrc, behind compinit',
    "fish": "plexsync completion fish > ~/.config/fish/completions/plexsync.fish",
}


@command("completion")
@click.argument("shell", type=click.Choice(list(WHERE)))
@click.pass_obj
def completion(call: Call, shell: str) -> int:
    """Print the script by which bash, zsh or fish completes what you type.

    It completes commands and options, the causes and numbers of dead letters, and the names of Plex servers. The
    program has to be found by the name plexsync: put its folder into PATH, or link it.

    \b
    Examples:
      eval "$(plexsync completion bash)"    (in ~/.bashrc)
      eval "$(plexsync completion zsh)"     (in ~/.zshrc)
      plexsync completion fish > ~/.config/fish/completions/plexsync.fish
    """
    script = script_of(shell)
    call.answer({"shell": shell, "script": script, "use": WHERE[shell]}, lambda: click.echo(script))
    return FINE
