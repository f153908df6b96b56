"""`plexsync help`: how the program, or one command, is used."""

import click

from plexsync.cli.call import FINE, Call, SharingFamily, command


@command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_obj
def help(call: Call, words: tuple[str, ...]) -> int:
    """Show how a command is used, or the list of all commands.

    \b
    Examples:
      plexsync help
      plexsync help sync
      plexsync help dlq retry
    """
    context = click.get_current_context().find_root()
    target: click.Command = context.command
    for word in words:
        child = target.outline(context, word) if isinstance(target, SharingFamily) else None
        if child is None:
            name = " ".join(words)
            raise click.UsageError(f"there is no command {name!r}: plexsync help lists the commands")
        context, target = click.Context(child, info_name=word, parent=context), child
    text = target.get_help(context)
    call.answer({"help": text}, lambda: click.echo(text))
    return FINE
