"""The settings: each one's value and source, the page that changes one, and what is known of the Plex server.

A new value is checked, tried at its server, and written into plexsync.toml. A secret is only written: no page has its
value. An address is changed together with the secret that is sent there, so that nobody who reaches the dashboard can
send a secret elsewhere. What is known of Plex are the answers of `plexsync probe`; a button lets the worker ask again.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Literal, get_args, get_origin

from starlette.responses import Response

from plexsync.app.draft import with_values
from plexsync.app.fingerprints import UNSHOWN, previewed_settings, wishes
from plexsync.app.setting_change import (
    ASIDE,
    SENT_TO,
    TRIED,
    NotInPlex,
    check_values,
    in_the_file,
    try_connection,
    typed_form,
    why_no_pictures,
    write_into,
)
from plexsync.app.switches import ask_before_writing, why_not_now
from plexsync.reports.probe import trait_facts, trait_rows
from plexsync.reports.settings import BASIC, GROUPS, setting_facts, why_read_only
from plexsync.reports.shapes.status import SettingFacts
from plexsync.rules.merge.traits import UNKNOWN
from plexsync.rules.provider.standing import ON
from plexsync.rules.queue.setting_question import FEW
from plexsync.rules.servers.errors import NeighbourError, Unusable
from plexsync.web.pages import PageCall, PageNotFound, Wrong, action, page, whole_number
from plexsync.web.preview_pages import DraftView, chosen_scene, count_part, draft_view
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.plex_entries import OF_AN_ENTRY, TOKEN
from validation.redact import MASK
from validation.sources import DEFAULT, ENTRY, LOOK, STASH, TOML, ConfigError, SettingSources, load_here

HERE, CHANGE, PLEX = "/settings", "/settings/change", "/settings/plex"
# The view with every setting.
ALL = "all"
RULES = {setting.name: setting.rule for setting in describe()}
# Where plexsync.toml has a setting.
IN_FILE = (TOML, ENTRY)
# Values that need a package of their own, by their settings.
CHANGED: Mapping[str, Mapping[str, object]] = {
    "poster_shape": {"poster_shape": "bars"},
    "poster_logo": {"poster_logo": "top_left"},
}
# The settings that decide where Plex asks, and what follows from a change of them.
OF_PROVIDER = ("provider_listen", "provider_url")
RESTARTED = "A running plexsync serve starts what answers Plex anew, at the new address, within seconds."
TAKEN = "serve takes it over by itself within seconds, and this dashboard starts again with it."
DUE = (
    f" Then a full comparison is due. Before it changes more than {FEW} items, it asks you; until your yes the value before "
    "stays in force."
)
NO_COUNT = " Your yes was not taken, because what it changes was not counted completely."
UNUSABLE = "The settings before stay in use, because serve can't use the file:"
NO_WORKER = "No worker is running: start plexsync serve, or run plexsync probe in a terminal."
LONGEST = 200


def settings(call: PageCall) -> Response:
    """The settings that most people need, or all, or those that fit the search; what differs from the default stands out."""
    config, origins, address = call.parts.config, call.desk.origins, call.parts.address
    text, changed = call.query.get("q", "").strip()[:LONGEST], call.query.get("changed", "") == "1"
    is_basic = call.query.get("view") != ALL and not text and not changed
    every = setting_facts(config, origins.by_name)
    saved, problems = not_in_use(call)
    shown = {
        fact["name"]: fact
        for fact in every
        if (not is_basic or fact["basic"] or fact["name"] in saved)
        and fits(fact, text)
        and not (changed and fact["source"] == "default")
    }
    groups = [(group, [shown[name] for name in names.split() if name in shown]) for group, names in GROUPS.items()]
    return call.show(
        "settings.html",
        groups=[(group, entries) for group, entries in groups if entries],
        is_basic=is_basic,
        basic_count=len(BASIC),
        total=len(every),
        text=text,
        changed=changed,
        warnings=origins.warnings,
        unusable=problems,
        saved=saved,
        fixed={name: reason for name, origin in origins.by_name.items() if (reason := why_read_only(name, origin))},
        folder=str(call.parts.folder),
        database=address.name if address.is_postgres else "",
        file=str(origins.file),
        masked=MASK,
        shared_by=shared_by(origins.servers),
        plex=origins.plex,
    )


def row_address(name: str) -> str:
    """Where the page shows a setting."""
    return f"{HERE}#{name}" if name in BASIC else f"{HERE}?view={ALL}#{name}"


def fits(fact: SettingFacts, text: str) -> bool:
    """Whether every word of the search is in the name, the value or the description."""
    words = f"{fact['name']} {fact['name'].replace('_', ' ')} {fact['value']} {fact['description']}".casefold()
    return all(word in words for word in text.casefold().split())


# --- changing one -------------------------------------------------------------------------------------------------------


def sources(call: PageCall, *weaker: str) -> SettingSources:
    """plexsync.toml, and above it what the process has from elsewhere; also from these `weaker` sources."""
    config, origins = call.parts.config, call.desk.origins
    editable = {TOML, ENTRY, DEFAULT, STASH, LOOK} - set(weaker)
    fixed = {name: in_the_file(config, name) for name, origin in origins.by_name.items() if origin not in editable}
    return {"environ": {}, "toml_path": origins.file, "overrides": fixed, "may_be_missing": True, "plex": origins.plex}


def not_in_use(call: PageCall) -> tuple[dict[str, str | None], list[str]]:
    """What is saved and not in use yet, by setting (None: removed); and why plexsync.toml can't be used, if it can't."""
    config, origins = call.parts.config, call.desk.origins
    try:
        saved = load_here(**sources(call))
    except ConfigError as error:
        return {}, error.lines
    in_file = {name for name, origin in saved.origin.items() if origin in IN_FILE}
    removed = {name for name, origin in origins.by_name.items() if origin in IN_FILE} - in_file
    differ = {name for name in in_file if getattr(saved.config, name) != getattr(config, name)} | removed
    if origins.by_name.get(TOKEN) == ENTRY != saved.origin[TOKEN]:
        # The environment has the token of the entry.
        differ.discard(TOKEN)
    facts = {fact["name"]: fact for fact in setting_facts(saved.config, saved.origin)}
    return {name: None if name in removed else facts[name]["value"] for name in differ}, []


def form(call: PageCall) -> Response:
    """The form for one setting; without one, the list."""
    if not call.query.get("name"):
        return call.to(HERE)
    name = _name(call.query)
    return _show_form(call, name, scene=call.query.get("scene"))


def _show_form(
    call: PageCall,
    name: str,
    problem: str = "",
    *,
    failed: str = "",
    typed: str | None = None,
    scene: str | None = None,
    draft: DraftView | None = None,
) -> Response:
    """The form, with what is wrong with the typed value, or why its server did not take it."""
    config, origins = call.parts.config, call.desk.origins
    fact = next(fact for fact in setting_facts(config, origins.by_name) if fact["name"] == name)
    text = None if name in SECRETS else typed_form(name, getattr(config, name))
    fixed = why_read_only(name, origins.by_name.get(name, DEFAULT))
    if not fixed and text is None and name not in SECRETS:
        fixed = "Only a list in plexsync.toml can say its value: plexsync config edit."
    saved = not_in_use(call)[0]
    return call.show(
        "setting.html",
        it=fact,
        seen=_shown_value(saved, fact),
        back=row_address(name),
        rule=RULES[name],
        fixed=fixed,
        in_stash=origins.by_name.get(name) == STASH,
        in_file=name in saved or origins.by_name.get(name) == TOML,
        secret=name in SECRETS,
        choices=_choices(name),
        text=(text or "") if typed is None or name in SECRETS else typed,
        companion=_companion(config, name),
        tried=name in TRIED,
        problem=problem,
        failed=failed,
        file=str(origins.file),
        shared_by=shared_by(origins.servers, name),
        previewed=name in previewed_settings(config),
        unshown=UNSHOWN.get(name, ""),
        follows=_registered_anew(call, name) or _needs(config, name),
        scene=call.sessions.scene(call.session, scene),
        draft=draft,
    )


def _shown_value(saved: Mapping[str, str | None], fact: SettingFacts) -> str:
    """The value that is saved, or else in use, as the page shows it: never a secret."""
    return saved.get(fact["name"], fact["value"]) or ""


def _changed_meanwhile(call: PageCall, name: str) -> str:
    """What to say if the setting has another value than the page that this form is of has shown; '' if it has that one."""
    facts = {fact["name"]: fact for fact in setting_facts(call.parts.config, call.desk.origins.by_name)}
    now, shown = _shown_value(not_in_use(call)[0], facts[name]), call.form.get("seen")
    if shown in (None, now):
        return ""
    return f"{name} was changed meanwhile, to {now or 'nothing'}: nothing was saved. Save once more to replace that."


def shared_by(servers: Sequence[str], name: str = "") -> str:
    """Which of several Plex servers a change of this setting, or of any, is for; '' with a single one."""
    if len(servers) < 2:
        return ""
    names = f"{', '.join(servers[:-1])} and {servers[-1]}"
    if name and name not in OF_AN_ENTRY:
        return f"All Plex servers share this setting: {names}."
    which = "this setting" if name else "the setting"
    return (
        f"A change here is for all Plex servers whose [[plex]] entry does not have {which} itself, of {names}. "
        "To change it for one of them, write it into its entry."
    )


def save(call: PageCall) -> Response:
    """Check the value, try it, and write it; or remove the setting from the file."""
    name = _name(call.form)
    if why_read_only(name, call.desk.origins.by_name.get(name, DEFAULT)):
        return _show_form(call, name)
    meanwhile = _changed_meanwhile(call, name)
    if call.form.get("do") == "unset":
        if meanwhile:
            return _show_form(call, name, meanwhile)
        return _write_settings(call, name, {name: None}, None)
    typed = call.form.get("value", "").strip()
    config = call.parts.config
    step = call.form.get("do", "")
    if step in ("preview", "count") or step.startswith("scene "):
        return _preview(call, name, typed, step)
    if meanwhile:
        return _show_form(call, name, meanwhile, typed=typed)
    if name in SECRETS and not typed:
        return _show_form(call, name, "Type the new value. The old one is never shown.")
    texts = {name: typed}
    if companion := _companion(config, name):
        if not (secret := call.form.get("secret", "").strip()):
            return _show_form(call, name, f"Type {companion} as well: it is sent to the new address.", typed=typed)
        texts[companion] = secret
    try:
        fresh = check_values(sources(call, STASH), texts, hide=lambda _: None)
    except ConfigError as error:
        return _show_form(call, name, _words(error), typed=typed)
    if companion and (problem := _foreign(call, companion, fresh)):
        return _show_form(call, name, problem, typed=typed)
    try:
        failed = _failure(config, fresh, texts)
    except NotInPlex as error:
        return _show_form(call, name, f"{error}.", typed=typed)
    if failed and call.form.get("anyway") != "yes":
        return _show_form(call, name, failed=failed, typed=typed)
    differ = {key: getattr(fresh, key) for key in texts if getattr(fresh, key) != getattr(config, key)}
    draft = with_values(config, call.desk.origins.by_name, fresh, texts)
    return _write_settings(call, name, {key: in_the_file(fresh, key) for key in {name, *differ}}, differ, draft)


def _preview(call: PageCall, name: str, typed: str, step: str) -> Response:
    """The form with the typed value as a draft, or only the count of what it changes. Nothing is written."""
    if name not in previewed_settings(call.parts.config):
        raise PageNotFound
    scene = chosen_scene(call)
    try:
        config = _draft(call, {name: typed})
    except ConfigError as error:
        return _show_form(call, name, typed=typed, scene=scene, draft=DraftView(problem=_words(error)))
    if step == "count":
        return count_part(call, config)
    return _show_form(call, name, typed=typed, scene=scene, draft=draft_view(call, config, scene))


def _draft(call: PageCall, texts: Mapping[str, str]) -> PlexSyncConfig:
    """The settings in use with these typed values. Raises ConfigError."""
    fresh = check_values(sources(call, STASH), texts, hide=lambda _: None)
    return with_values(call.parts.config, call.desk.origins.by_name, fresh, texts)


def _write_settings(
    call: PageCall,
    name: str,
    settings: Mapping[str, object],
    differ: Mapping[str, object] | None,
    draft: PlexSyncConfig | None = None,
) -> Response:
    """Write the settings, and say what happens then."""
    config, file = call.parts.config, call.desk.origins.file
    try:
        write_into(file, settings)
    except ConfigError as error:
        return _show_form(call, name, f"Nothing was saved: {_words(error)}.", typed=call.form.get("value"))
    done = f"{name} is {'removed from' if differ is None else 'saved in'} {file.name}."
    if problems := not_in_use(call)[1]:
        return call.to(row_address(name), f"{done} {UNUSABLE} {'; '.join(problems)}", well=False)
    if differ == {}:
        return call.to(row_address(name), f"{done} It is the value in use already.")
    done = f"{done} {_registered_anew(call, name)}".strip()
    follows = differ and wishes(config.model_copy(update=differ)) != wishes(config)
    return call.to(row_address(name), f"{done} {TAKEN}{_what_follows(call, draft) if follows else ''}")


def _needs(config: PlexSyncConfig, name: str) -> str:
    """What values of this setting need and is not installed, with the line that installs it; '' if nothing is missing."""
    return why_no_pictures(config.model_copy(update=CHANGED[name])) if name in CHANGED else ""


def _registered_anew(call: PageCall, name: str) -> str:
    """What a running worker does by itself after a change of where Plex asks; '' for another setting."""
    if name not in OF_PROVIDER:
        return ""
    with call.reading() as db:
        titles = [row.title for row in db.providers.all() if row.state == ON]
    named = f" Then it registers the new address in Plex, for {', '.join(titles)}." if titles else ""
    return f"{RESTARTED}{named}"


def _what_follows(call: PageCall, draft: PlexSyncConfig | None) -> str:
    """What becomes of the items that the settings change: a complete count of the page is the question that they ask."""
    task = call.desk.counts.find(draft) if draft else None
    agreed = call.form.get("do") == "write"
    question = ask_before_writing(call.parts, draft, task.count, agreed=agreed) if draft and task else None
    if question is None:
        return (NO_COUNT if agreed else "") + DUE
    effect = question.text.rpartition(": ")[2]
    if not (agreed or question.is_small):
        return f" {effect}: that waits for your yes, and until then the settings from before stay in force."
    in_the_way = why_not_now(call.parts)
    return f" {effect}: that is written {f'later, because {in_the_way}' if in_the_way else 'now'}."


def _foreign(call: PageCall, companion: str, fresh: PlexSyncConfig) -> str:
    """Why the secret that belongs to an address can't be written; '' if it can, or is the one in use."""
    reason = why_read_only(companion, call.desk.origins.by_name.get(companion, DEFAULT))
    same = hmac.compare_digest(str(getattr(fresh, companion)), str(getattr(call.parts.config, companion)))
    return f"{companion} has to be the one in use. {reason}" if reason and not same else ""


def _failure(config: PlexSyncConfig, fresh: PlexSyncConfig, texts: Mapping[str, str]) -> str:
    """Why the server does not take the values; '' if it does, or if there is none to ask. Raises NotInPlex."""
    if not set(texts) & set(TRIED):
        return ""
    try:
        try_connection(config, {name: str(getattr(fresh, name)) for name in texts})
    except NotInPlex:
        raise
    except (NeighbourError, Unusable) as error:
        return str(error)
    return ""


def _companion(config: PlexSyncConfig, name: str) -> str:
    secret = SENT_TO.get(name, "")
    return secret if secret and getattr(config, secret) else ""


def _choices(name: str) -> tuple[str, ...]:
    kind = PlexSyncConfig.model_fields[name].annotation
    if kind is bool:
        return ("true", "false")
    return get_args(kind) if get_origin(kind) is Literal else ()


def _name(fields: Mapping[str, str]) -> str:
    name = fields.get("name", "")
    if name not in RULES:
        raise PageNotFound
    return name


def _words(error: ConfigError) -> str:
    return "; ".join(line.replace(ASIDE, " ") for line in error.lines)


# --- what is known of Plex ----------------------------------------------------------------------------------------------


def plex(call: PageCall) -> Response:
    """The answers, and whether a probe is under way."""
    parts = call.parts
    with parts.store.reading() as db:
        asked, running, outcome = db.probes.probe_asked(), db.probes.probe_running(), db.probes.probe_result()
        changed, learnt = db.probes.open_original() is not None, db.probes.traits()
    traits = learnt.traits if learnt else UNKNOWN
    return call.show(
        "plex.html",
        learnt=learnt,
        rows=trait_rows(trait_facts(traits, outcome if outcome and outcome.version else None)),
        asked=asked is not None,
        running=running is not None,
        interrupted=changed and running is None,
        outcome=outcome,
        not_restored=outcome.restored.words() if outcome and outcome.restored else "",
    )


def confirm_probe(call: PageCall) -> Response:
    """Show the item and what the probe does with it, and the button that starts it."""
    key = _key(call.query.get("item", ""))
    if not key:
        return call.to(PLEX, "Give the rating key of an item: a number, as the page of a scene shows it.", well=False)
    item, away = call.look(lambda parts: parts.plex.items([key]).get(key))
    if item is None and not away:
        return call.to(PLEX, f"Plex has no item {key} in a library.", well=False)
    title = item.scalars.get("title", "") if item else ""
    rated = bool(item and item.scalars.get("userRating"))
    return call.show("probe.html", key=key, title=title, rated=rated, away=away, back=PLEX)


def start_probe(call: PageCall) -> Response:
    """Ask the worker for the probe."""
    key = _key(call.form.get("item", ""))
    if not key:
        raise Wrong("That is no rating key of an item.")
    parts = call.parts
    if not parts.someone_works():
        return call.to(PLEX, NO_WORKER, well=False)
    with parts.store.writing() as tx:
        if tx.probes.probe_asked():
            return call.to(PLEX, "A probe is under way: wait for it, or stop it.", well=False)
        tx.probes.ask_probe(key, now=parts.clock.now())
    return call.to(PLEX, f"The worker probes Plex with item {key}. That takes some seconds.")


def stop_probe(call: PageCall) -> Response:
    """Withdraw the request; the worker restores the item."""
    with call.parts.store.writing() as tx:
        tx.probes.withdraw_probe()
    return call.to(PLEX, "The probe ends, and the item is restored.")


def _key(text: str) -> str:
    return str(whole_number(text.strip(), least=1, most=10**18 - 1) or "")


routes = [
    page(HERE, settings),
    page(CHANGE, form),
    action(CHANGE, save),
    page(PLEX, plex),
    page(f"{PLEX}/probe", confirm_probe),
    action(f"{PLEX}/probe", start_probe),
    action(f"{PLEX}/stop", stop_probe),
]
