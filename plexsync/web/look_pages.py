"""The look as a file: saved, and imported after the same preview as a setting."""

from starlette.responses import Response

from plexsync.app.look_file import NAME, look_text, read_look, texts_of
from plexsync.app.setting_change import write_into
from plexsync.reports.format import many
from plexsync.reports.settings import why_read_only
from plexsync.web.pages import PageCall, action, page
from plexsync.web.preview_pages import DraftView, chosen_scene, count_part, draft_view
from plexsync.web.settings_pages import HERE, TAKEN, draft_of, what_follows, words_of
from validation.sources import DEFAULT, ConfigError

LOOK = "/settings/look"


def form(call: PageCall) -> Response:
    """The button that saves the look, and the place for one to import."""
    return _show(call)


def saved_look(call: PageCall) -> Response:
    """The look in use, as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{NAME}"'}
    return Response(look_text(call.parts.config), media_type="application/toml", headers=headers)


def take(call: PageCall) -> Response:
    """Show what the look changes, count it, or write its settings."""
    text, step, config = call.form.get("value", ""), call.form.get("do", ""), call.parts.config
    try:
        settings = read_look(text, config)
        for name in settings:
            if reason := why_read_only(name, call.desk.origins.by_name.get(name, DEFAULT)):
                raise ConfigError([f"{name} can't be changed here: {reason}"])
        draft = draft_of(call, settings)
    except ConfigError as error:
        return _show(call, DraftView(problem=words_of(error)), text)
    if step in ("set", "write") and settings:
        try:
            write_into(call.desk.origins.file, settings)
        except ConfigError as error:
            return _show(call, DraftView(problem=f"Nothing was saved: {words_of(error)}."), text)
        done = f"{many(len(settings), 'setting')} of the look saved in {call.desk.origins.file.name}."
        return call.to(HERE, f"{done} {TAKEN}{what_follows(call, draft)}")
    if step == "count":
        return count_part(call, draft)
    scene = chosen_scene(call)
    view = draft_view(call, draft, scene) if settings else DraftView(problem="The look in use is the same.")
    return _show(call, view, text, scene, texts_of(config, settings))


def _show(
    call: PageCall,
    draft: DraftView | None = None,
    text: str = "",
    scene: str | None = None,
    rows: list[tuple[str, str, str]] | None = None,
) -> Response:
    return call.show(
        "look.html",
        draft=draft,
        text=text,
        scene=call.sessions.scene(call.session, scene),
        rows=rows or [],
        file=str(call.desk.origins.file),
    )


routes = [page(LOOK, form), page(f"{LOOK}/{NAME}", saved_look), action(LOOK, take)]
