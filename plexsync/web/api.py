"""The facts and actions of the pages for programs: JSON in the shapes of `plexsync ... --json`, as docs/api.md describes."""

import json
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plexsync.actions.model import ActionRequest, Selection, SubjectKind
from plexsync.actions.scenes import REDO
from plexsync.app.advice import SETTINGS_WAIT, UNAPPROVED
from plexsync.app.choices import accept as accept_choice
from plexsync.app.named_scenes import ignore_scenes, unignore_scenes
from plexsync.app.parts import named_scenes
from plexsync.app.ping import CantPing, ping
from plexsync.app.rules import watch_rules
from plexsync.app.switches import asked_settings, waits_for_yes
from plexsync.engine import dead_letters
from plexsync.flows.scenes.comparison_report import reports
from plexsync.flows.scenes.verbs import explain, want_scenes
from plexsync.reports.comparisons import TaskFacts, TaskReport, report_facts
from plexsync.reports.dead_letters import Banner, LetterPage, groups, letter
from plexsync.reports.explanation import explain_facts, known_facts
from plexsync.reports.format import stamp
from plexsync.reports.named_scenes import ignored_facts, queued_facts
from plexsync.reports.needs import WELL, need_facts, needs
from plexsync.reports.outages import MOST_DAYS, report
from plexsync.reports.ping import ping_facts
from plexsync.reports.questions import questions
from plexsync.reports.rows import attempt_facts, key_of, past_facts, past_of, push_facts, row_facts, row_key
from plexsync.reports.scenes import facts_of, named_like, scene_row, stand_so
from plexsync.reports.settings import setting_facts
from plexsync.reports.shapes.outages import OutageReport
from plexsync.reports.shapes.scenes import (
    ExplainFacts,
    HistoryFacts,
    LatestFacts,
    SceneList,
    ScenePush,
    SceneReport,
    Trouble,
    UnreadFacts,
)
from plexsync.reports.shapes.status import NeedList, QuestionList, SettingList, StatusFacts
from plexsync.reports.status import too_many
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.status_words import STATUSES, SceneStatus
from plexsync.web import action_pages, collection_pages, drift_pages, review_pages
from plexsync.web.background_tasks import BackgroundTask
from plexsync.web.fix_pages import choice_named, report as fix_report
from plexsync.web.pages import (
    LARGEST_ID,
    MOST,
    PageCall,
    PageNotFound,
    Wrong,
    later,
    read_request,
    scene_numbers,
    whole_number,
)
from plexsync.web.state_pages import LATEST

FEW = 100
Facts = Mapping[str, object]
Answer = Facts | tuple[Facts, int]
# The body of a request, as it was sent.
Body = Mapping[str, object]


def status(call: PageCall) -> StatusFacts:
    """As `plexsync status --json`."""
    return call.desk.facts()


def need(call: PageCall) -> NeedList:
    """What needs you, and what resolves itself."""
    found = [need for need in needs(call.desk.facts()) if need.tone != WELL]
    return {"needs": [need_facts(need) for need in sorted(found, key=lambda need: not need.is_yours)]}


def latest(call: PageCall) -> LatestFacts:
    """The last pushes and the last failed attempts."""
    with call.reading() as db:
        pushes: list[ScenePush] = [
            {"scene": scene, **push_facts([push])[0]} for scene, push in db.pushes.latest(LATEST)
        ]
        troubles: list[Trouble] = [
            {"kind": kind, "id": id, **attempt_facts([attempt])[0]} for kind, id, attempt in db.attempts.latest(LATEST)
        ]
    return {"pushes": pushes, "troubles": troubles}


def scenes(call: PageCall) -> SceneList:
    """A page of scenes: those with a status, or those with a text in title or path."""
    stands, text = call.query.get("stands", "").replace(" ", "_"), call.query.get("q", "")
    statuses = [status for status in STATUSES if status.value == stands]
    if stands and not statuses:
        raise Wrong(f"stands must be one of {', '.join(STATUSES)}")
    if stands and text:
        raise Wrong("either stands or q")
    after, limit = _whole(call, "after", 0, LARGEST_ID), _whole(call, "limit", FEW, MOST)
    with call.reading() as db:
        page = {"after": after, "limit": limit}
        listed = named_like(db, text, **page) if text else stand_so(db, statuses, **page)
        rows = [scene_row(row) for row in facts_of(db, listed.ids, call.parts.picture_names)]
    return {"scenes": rows, "after": listed.after}


def scene(call: PageCall) -> SceneReport:
    """As `plexsync status SCENE --json`."""
    id = call.number("id")
    with call.reading() as db:
        (facts,) = facts_of(db, [id], call.parts.picture_names)
        if facts["stands"] == SceneStatus.UNKNOWN:
            raise PageNotFound
        return {**scene_row(facts), "job": row_facts(db.jobs.find(Kind.SCENE, id))}


def explain_scene(call: PageCall) -> ExplainFacts | tuple[UnreadFacts, int]:
    """As `plexsync explain SCENE --json`: asks both servers."""
    id = call.number("id")
    try:
        with call.desk.looking() as parts:
            explanation = explain(parts.inspector, id)
    except NeighbourError as error:
        with call.reading() as db:
            return {**known_facts(db, id, watch_rules(call.parts.config)), "error": str(error)}, 503
    return explain_facts(call.parts, explanation)


def history(call: PageCall) -> HistoryFacts:
    """As `plexsync history SCENE --json`."""
    id, limit = call.number("id"), _whole(call, "limit", FEW, MOST)
    with call.reading() as db:
        past = past_of(db, Kind.SCENE, id)
    entries = [past_facts(entry) for entry in past[:limit]]
    return {"kind": "scene", "id": id, "entries": entries, "total": len(past)}


def given_up(call: PageCall) -> LetterPage:
    """As `plexsync dlq list --json`, with a page of the rows in the format of `dlq export`."""
    cause, limit = call.query.get("cause", ""), _whole(call, "limit", FEW, MOST)
    after = _key(call.query["after"]) if "after" in call.query else None
    with call.reading() as db:
        counts = db.jobs.count_dead()
        by_cause = groups(db, counts, cause or None)
        rows = db.jobs.in_state(State.DEAD, error_class=cause, limit=limit + 1, after=after or ("", 0))
        letters = [letter(db, row) for row in rows[:limit]]
    more = row_key(rows[limit - 1].kind, rows[limit - 1].id) if len(rows) > limit else None
    text = too_many(sum(counts.values()), call.parts.config.dlq_max)
    banner: Banner = {"banner": text} if text else {}
    return {
        "dead": sum(group["count"] for group in by_cause),
        "causes": by_cause,
        **banner,
        "rows": letters,
        "after": more,
    }


def outages(call: PageCall) -> OutageReport:
    """As `plexsync outages --json`."""
    return report(call.parts, _whole(call, "days", 30, MOST_DAYS)).facts()


def comparisons(call: PageCall) -> TaskReport:
    """The last full comparisons, and the tasks started here."""
    with call.reading() as db:
        past = reports(db)
    tasks = call.desk.tasks
    current = tasks.current
    return {
        "reports": [
            {"began": stamp(entry.began), "ended": stamp(entry.ended), **report_facts(entry)} for entry in past
        ],
        "current": task_facts(current) if current else None,
        "past": [task_facts(entry) for entry in list(tasks.past)],
    }


def task_facts(task: BackgroundTask) -> TaskFacts:
    """A task for JSON."""
    return {
        "name": task.name,
        "state": task.state,
        "began": stamp(task.began),
        "ended": stamp(task.ended),
        "done": task.done,
        "total": task.total,
        "error": task.why,
        "found": task.facts or {},
    }


def choices(call: PageCall) -> QuestionList:
    """As `plexsync accept --json`: what you are asked."""
    return {"asked": questions(call.parts)}


def settings(call: PageCall) -> SettingList:
    """Every setting with its source; secrets as three stars."""
    return {"settings": setting_facts(call.parts.config, call.desk.origins.by_name)}


def sync(call: PageCall, body: Body) -> Answer:
    """As `plexsync sync SCENE... --json` or `sync --all`; the first write needs your approval."""
    parts = call.parts
    if body.get("all") is True:
        _only(body, "all", "agreed")
        if body.get("agreed") is not True and waits_for_yes(parts):
            question = asked_settings(parts)
            reason = f"{question.text}: {SETTINGS_WAIT}" if question else UNAPPROVED
            raise Wrong(f'{reason}. Here: {{"all": true, "agreed": true}}')
        return _start_task(call, "sync all")
    _only(body, "scenes")
    named = named_scenes(parts, scene_numbers(body))
    wanted = want_scenes(parts.store, named.syncable, Why.USER, parts.clock)
    call.desk.ask_servers()
    return queued_facts(named, wanted)


def reconcile(call: PageCall, body: Body) -> Answer:
    """As `plexsync reconcile`, `reconcile --anew` or `reconcile --quick`: starts it and returns at once."""
    _only(body, "anew", "quick")
    if body.get("anew") is True and body.get("quick") is True:
        raise Wrong("either anew or quick")
    return _start_task(
        call, "look" if body.get("quick") is True else "compare anew" if body.get("anew") is True else "compare"
    )


def preview(call: PageCall, body: Body) -> Answer:
    """As `plexsync sync --all --dry-run`: starts it and returns at once."""
    _only(body)
    return _start_task(call, "preview")


def stop(call: PageCall, body: Body) -> Answer:
    """Stop the running task, if it can be stopped."""
    _only(body)
    return {"stopped": call.desk.tasks.stop()}


def retry(call: PageCall, body: Body) -> Answer:
    """As `plexsync dlq retry`."""
    moved = _move_letters(call, body, "retried", dead_letters.retry, dead_letters.retry_all)
    call.desk.ask_servers()
    return moved


def drop(call: PageCall, body: Body) -> Answer:
    """As `plexsync dlq drop --yes`."""
    return _move_letters(call, body, "dropped", dead_letters.drop, dead_letters.drop_all)


def ignore(call: PageCall, body: Body) -> Answer:
    """As `plexsync ignore SCENE --json`."""
    _only(body)
    parts = call.parts
    named = named_scenes(parts, [call.number("id")])
    return ignored_facts(named, len(ignore_scenes(parts.store, named.existing, parts.clock)))


def unignore(call: PageCall, body: Body) -> Answer:
    """As `plexsync unignore SCENE --json`."""
    _only(body)
    parts = call.parts
    return {"unignored": len(unignore_scenes(parts.store, [call.number("id")], parts.clock))}


def redo(call: PageCall, body: Body) -> Answer:
    """As `plexsync redo SCENE --json`."""
    _only(body)
    result = REDO.carry_out(ActionRequest(call.parts, (), Selection((call.number("id"),))))
    call.desk.ask_servers()
    return result.facts


def ping_scene(call: PageCall, body: Body) -> Answer:
    """As `plexsync ping SCENE --json`."""
    _only(body)
    try:
        with call.desk.looking() as parts:
            return ping_facts(ping(parts, call.number("id")))
    except CantPing as error:
        return {"error": str(error)}, 409


def accept(call: PageCall, body: Body) -> Answer:
    """As `plexsync accept CHOICE --json`."""
    _only(body, "choice")
    choice = choice_named(str(body.get("choice", "")))
    with call.desk.looking() as parts:
        if not accept_choice(parts, choice):
            return {"error": f"nothing waits for {choice}", "asked": questions(parts)}, 409
    return {"accepted": choice}


def _start_task(call: PageCall, name: str) -> Answer:
    if not call.desk.tasks.start(name):
        current = call.desk.tasks.current
        return {"error": "something else is under way", "current": task_facts(current) if current else None}, 409
    return {"begun": name}, 202


def _move_letters(
    call: PageCall, body: Body, verb: str, some: Callable[..., dead_letters.Moved], every: Callable[..., int]
) -> Answer:
    parts = call.parts
    _only(body, "scenes", "cause", "all")
    if len(body) != 1:
        raise Wrong('say which: {"scenes": [7, "tag:12"]}, {"cause": "refused"} or {"all": true}')
    if "scenes" in body:
        keys = body["scenes"]
        if not isinstance(keys, list) or len(keys) > MOST:
            raise Wrong(f"scenes must be a list of at most {MOST} keys")
        count, missed = some(parts.store, parts.clock, [_key(str(key)) for key in keys])
        return {verb: count, **({"not_dead": [row_key(*key) for key in missed]} if missed else {})}
    cause = body.get("cause", "")
    if "cause" in body and not (isinstance(cause, str) and cause):
        raise Wrong("cause must be a text such as refused")
    if "all" in body and body["all"] is not True:
        raise Wrong("all must be true")
    return {verb: every(parts.store, parts.clock, cause)}


def _whole(call: PageCall, name: str, usual: int, most: int) -> int:
    number = whole_number(call.query.get(name, str(usual)), least=0 if name == "after" else 1, most=most)
    if number is None:
        raise Wrong(f"{name} must be a whole number up to {most}")
    return number


def _key(text: str) -> tuple[str, int]:
    if (key := key_of(text)) is None:
        raise Wrong("a key must be the number of a scene (7), or one with its kind (tag:12)")
    return key


def _only(body: Body, *names: str) -> None:
    if body.keys() - set(names):
        raise Wrong(f"what can be said here: {', '.join(names) or 'nothing'}")


def _read(content: bytes) -> Body:
    try:
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise Wrong("the body must be a JSON object") from None
    if not isinstance(body, dict):
        raise Wrong("the body must be a JSON object")
    return body


def _get(path: str, handler: Callable[[PageCall], Answer]) -> Route:
    async def endpoint(request: Request) -> Response:
        call = read_request(request, {})
        return _to_response(await call.desk.run(lambda: handler(call)))

    return Route(f"/api/{path}", endpoint, methods=["GET"])


def _post(path: str, handler: Callable[[PageCall, Body], Answer]) -> Route:
    async def endpoint(request: Request) -> Response:
        call, body = read_request(request, {}), _read(await request.body())
        return _to_response(await call.desk.act(lambda: handler(call, body)))

    return Route(f"/api/{path}", endpoint, methods=["POST"])


def _to_response(answer: Answer) -> Response:
    facts, code = answer if isinstance(answer, tuple) else (answer, 200)
    return JSONResponse(facts, code, later(code))


routes = [
    _get("status", status),
    _get("needs", need),
    _get("fix", lambda call: fix_report(call, _whole(call, "limit", FEW, MOST))),
    _get("drift", lambda call: drift_pages.read(call, _whole(call, "limit", FEW, MOST))),
    _get("collections", lambda call: collection_pages.read(call, _whole(call, "limit", FEW, MOST))),
    _get("collections/{id}", collection_pages.report),
    _get("review", lambda call: review_pages.read(call, _whole(call, "limit", FEW, MOST))),
    _get("latest", latest),
    _get("runs", action_pages.read_runs),
    _get("scenes", scenes),
    _get("scenes/{id}", scene),
    _get("scenes/{id}/explain", explain_scene),
    _get("scenes/{id}/history", history),
    _get("dead", given_up),
    _get("outages", outages),
    _get("reconcile", comparisons),
    _get("settings", settings),
    _get("accept", choices),
    _post("sync", sync),
    _post("reconcile", reconcile),
    _post("preview", preview),
    _post("stop", stop),
    _post("accept", accept),
    _post("drift", action_pages.decision(SubjectKind.SCENES)),
    _post("collections/parts", action_pages.decision(SubjectKind.COLLECTIONS)),
    _post("dead/retry", retry),
    _post("dead/drop", drop),
    _post("{subject}/{verb}", action_pages.program),
    _post("scenes/{id}/ignore", ignore),
    _post("scenes/{id}/unignore", unignore),
    _post("scenes/{id}/redo", redo),
    _post("scenes/{id}/ping", ping_scene),
]
