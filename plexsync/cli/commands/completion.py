"""`plexsync completion`: the script by which a shell completes commands, options, causes and scenes."""

from pathlib import PurePath

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from plexsync.cli.call import FINE, Call, command

# What the script sets when it asks what could come next; click's own name for this program.
VARIABLE = "_PLEXSYNC_COMPLETE"
KINDS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
# Where each shell looks for such a script, or what makes it read one.
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

    It completes commands and options, the causes of dead letters, and the numbers of dead letters. The
    program has to be found by the name plexsync: put its folder into PATH, or link it.

    \b
    Examples:
      eval "$(plexsync completion bash)"    (in ~/.bashrc)
      eval "$(plexsync completion zsh)"     (in ~/.zshrc)
      plexsync completion fish > ~/.config/fish/completions/plexsync.fish
    """
    context = click.get_current_context().find_root()
    # Not by way of its kind: that of bash starts a bash only to ask for its version.
    kind = KINDS[shell](context.command, {}, PurePath(context.info_name or "plexsync").name, VARIABLE)
    script = ShellComplete.source(kind)
    call.answer({"shell": shell, "script": script, "use": WHERE[shell]}, lambda: click.echo(script))
    return FINE
