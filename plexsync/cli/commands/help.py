"""`plexsync help`: how the program, or one command, is used."""

import click

from plexsync.cli.call import FINE, Call, Sharing, SharingFamily, command


@command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_obj
def help(call: Call, words: tuple[str, ...]) -> int:
    """Show all commands by what they are for, and the options of every command; or how one command is used.

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
    text = target.whole_help(context) if isinstance(target, Sharing) else target.get_help(context)
    call.answer({"help": text}, lambda: click.echo(text))
    return FINE
