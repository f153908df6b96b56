"""`plexsync notify`: where notices go, and a test of every way."""

import click

from plexsync.app.clients import sent_by_all, tried_ways
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import paper, say
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.notices import Notice
from validation.redact import Redactor

NONE = "no way is set: see notify_urls and notify_command"
TEXT = "This is a test: notices of PlexSync arrive here."


@command("notify")
@click.option("--test", "sends", is_flag=True, help="Send a test notice by every way.")
@click.pass_obj
def notify(call: Call, sends: bool) -> int:
    """Show the ways by which PlexSync notifies you, and what is wrong with them.

    With --test each of them gets a test notice. Exits with 1 if a way does not work, or if none is set.

    \b
    Examples:
      plexsync notify
      plexsync notify --test
    """
    with begin_call(call) as start:
        hidden = Redactor(start.config.secrets)
        notice = Notice("test", SystemClock().now(), TEXT)
        ways = list(sent_by_all(start.config, notice) if sends else tried_ways(start.config))
    facts = [{"way": name, "problem": hidden.redact(problem) or None} for name, problem in ways]
    if not ways:
        return call.refuse(NONE, ways=[], sent=False)
    is_well = "took the test notice" if sends else "is set"
    lines = [f"{fact['way']}: {fact['problem'] or is_well}" for fact in facts]
    call.answer({"ways": facts, "sent": sends}, lambda: say(paper(), "\n".join(lines)))
    return FAILED if any(fact["problem"] for fact in facts) else FINE
