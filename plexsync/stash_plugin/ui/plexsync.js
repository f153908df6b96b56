/* PlexSync inside Stash: a page with its status, and a tab on the page of a scene.
 *
 * Plain JavaScript on the libraries that Stash passes to plugins. Each patch point is tried separately: if a release of Stash
 * lacks one, only that part is missing. Texts always become text nodes of React.
 */
(function () {
  "use strict";

  const api = window.PluginApi;
  if (!api || !api.React || !api.patch) {
    return;
  }
  const React = api.React;
  const e = React.createElement;
  const libraries = api.libraries || {};
  const ID = "StashPlexSync";
  // Not below /plugin/: Stash itself answers there, and a reload would not find the page.
  const PATH = "/plugins/plexsync";
  const PANE = "plexsync-panel";
  // The worker writes its status into a file that Stash serves: looking at that starts no process.
  const STATUS = "plugin/" + ID + "/assets/status.json";
  const LAST = "plexsync-status";
  // PlexSync beside a Stash that has no Python; OWNER stands for the account that publishes it, as in the documentation.
  const COMPOSE = [
    "services:",
    "  plexsync:",
    "    image: ghcr.io/OWNER/plexsync:latest",
    "    restart: unless-stopped",
    '    user: "1000:1000"',
    "    environment:",
    "      PLEXSYNC_STASH_URL: " + new URL(".", document.baseURI).href.replace(/\/$/, ""),
    "      PLEXSYNC_STASH_API_KEY_FILE: /run/secrets/stash_api_key",
    "      PLEXSYNC_PLEX_URL: http://192.168.1.10:32400",
    "      PLEXSYNC_PLEX_TOKEN_FILE: /run/secrets/plex_token",
    "    volumes:",
    "      - ./data:/data",
    "      - ./secrets:/run/secrets:ro"
  ].join("\n");
  const PACE = 5000;
  const OLD = 45000;
  const JOB_PACE = 1000;
  const SHOWN = 100;

  // --- asking Stash ---------------------------------------------------------------------------------------------------

  const OPERATION =
    "mutation PlexSyncOperation($id: ID!, $args: Map!) { runPluginOperation(plugin_id: $id, args: $args) }";
  const JOB = "query PlexSyncJob($id: ID!) { findJob(input: { id: $id }) { status progress } }";
  const TASK =
    "mutation PlexSyncTask($id: ID!, $name: String, $args: Map, $words: String) { runPluginTask(plugin_id: $id, task_name: $name, args_map: $args, description: $words) }";

  async function graphql(query, variables) {
    const answer = await fetch(new URL("graphql", document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query, variables }),
    });
    const told = await answer.json().catch(() => ({}));
    if (told.errors && told.errors.length) {
      throw Object.assign(new Error(String(told.errors[0].message)), { byStash: true });
    }
    if (!answer.ok || !told.data) {
      throw new Error("Stash answers " + answer.status);
    }
    return told.data;
  }

  // PlexSync's own errors begin with its name. Any other one, before anything was answered, is one of starting it.
  let hasAnswered = false;
  // What writes into the settings in Stash: its own page must not save over that what it had read before.
  const SAVES = ["page_set", "page_renew", "setup_libraries", "setup_rules"];

  async function ask(mode, args) {
    const data = await graphql(OPERATION, { id: ID, args: Object.assign({ mode }, args) }).catch((error) => {
      const starts = hasAnswered || !error.byStash || error.message.startsWith("PlexSync: ");
      throw starts ? error : Object.assign(new Error(error.message), { notStarted: true });
    });
    hasAnswered = true;
    if (SAVES.includes(mode) && api.utils && api.utils.StashService) {
      attempt(() => api.utils.StashService.getClient().refetchQueries({ include: ["Configuration"] }));
    }
    const found = data.runPluginOperation;
    return found && typeof found === "object" ? found : { error: "the plugin said nothing" };
  }

  // A task of the manifest; without a name, the plugin with these arguments.
  async function startTask(name, args, words) {
    return (await graphql(TASK, { id: ID, name, args, words })).runPluginTask;
  }

  async function ended(job, show) {
    for (;;) {
      await new Promise((resolve) => window.setTimeout(resolve, JOB_PACE));
      const found = (await graphql(JOB, { id: job })).findJob;
      if (!found || ["FINISHED", "CANCELLED", "FAILED"].includes(found.status)) {
        return;
      }
      if (show) {
        show(found);
      }
    }
  }

  // What the worker wrote; null if no worker writes it. Both times are from the machine of Stash.
  async function readStatus() {
    const answer = await fetch(new URL(STATUS, document.baseURI), { cache: "no-store" });
    const facts = answer.ok ? await answer.json().catch(() => null) : null;
    if (!facts || typeof facts !== "object") {
      return null;
    }
    const now = Date.parse(answer.headers.get("Date") || "") || Date.now();
    const fresh = now - Date.parse(facts.at) < OLD ? facts : null;
    if (fresh) {
      attempt(() => window.localStorage.setItem(LAST, JSON.stringify(fresh)));
    }
    return fresh;
  }

  // What this browser has seen last of it, for as long as nothing newer is known.
  function lastStatus() {
    try {
      const facts = JSON.parse(window.localStorage.getItem(LAST));
      return facts && facts.at ? Object.assign(facts, { got: Date.parse(facts.at) }) : null;
    } catch {
      return null;
    }
  }

  // --- words ----------------------------------------------------------------------------------------------------------

  function many(count, one) {
    return count.toLocaleString() + " " + one + (count === 1 ? "" : "s");
  }

  function ago(moment) {
    const seconds = Math.round((Date.now() - Date.parse(moment)) / 1000);
    const span = Math.abs(seconds);
    const [size, unit] = span < 90 ? [1, "s"] : span < 5400 ? [60, "min"] : span < 129600 ? [3600, "h"] : [86400, "d"];
    const text = Math.round(span / size) + " " + unit;
    return seconds >= 0 ? text + " ago" : "in " + text;
  }

  function When({ at }) {
    return at ? e("span", { title: new Date(at).toLocaleString() }, ago(at)) : e("span", null, "never");
  }

  function shown(value) {
    if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) {
      return "–";
    }
    return Array.isArray(value) ? value.join(", ") : String(value);
  }

  function shownAs(field, value) {
    const isUpload = ["thumb", "art"].includes(field) && String(value).startsWith("upload:");
    return shown(field === "addedAt" && value ? new Date(value).toLocaleString() : isUpload ? "an uploaded picture" : value);
  }

  const FIELDS = {
    originallyAvailableAt: "date",
    addedAt: "date added",
    userRating: "rating",
    actor: "cast",
    genre: "genres",
    titleSort: "sort title",
    originalTitle: "original title",
    contentRating: "content rating",
    thumb: "poster",
    art: "background",
  };

  // --- small parts ----------------------------------------------------------------------------------------------------

  class Fence extends React.Component {
    // An error in PlexSync must not break Stash's page.
    constructor(props) {
      super(props);
      this.state = { broken: false };
    }

    static getDerivedStateFromError() {
      return { broken: true };
    }

    render() {
      return this.state.broken
        ? e(Note, { kind: "danger" }, "PlexSync can't show this: a fault of its own. Please report it.")
        : this.props.children;
    }
  }

  function fenced(Part) {
    return function Fenced(props) {
      return e(Fence, null, e(Part, props));
    };
  }

  function Note({ kind, mends, children }) {
    const className = "alert alert-" + kind + " plexsync-note" + (mends ? " plexsync-mend" : "");
    return e("div", { className, role: kind === "danger" ? "alert" : "status", tabIndex: mends ? -1 : undefined }, children);
  }

  function Button({ onClick, kind, busy, children, title }) {
    const style = "btn btn-" + (kind || "secondary") + " plexsync-button";
    return e("button", { type: "button", className: style, onClick, disabled: !!busy, title }, children);
  }

  function Light({ good, children }) {
    const kind = good === true ? "good" : good === false ? "bad" : "unsure";
    return e("span", { className: "plexsync-light plexsync-" + kind }, children);
  }

  function Link({ to, children }) {
    const router = libraries.ReactRouterDOM;
    return router && router.Link ? e(router.Link, { to }, children) : e("a", { href: new URL("." + to, document.baseURI).href }, children);
  }

  // A link to another server: Stash stays open.
  function Away({ href, children }) {
    return e("a", { href, target: "_blank", rel: "noopener noreferrer" }, children);
  }

  // The item on its page in Plex; nothing while PlexSync knows no Plex server.
  function OpenInPlex({ item }) {
    return item.link
      ? e(Away, { href: item.link }, "Open in Plex" + (item.library ? ": " + item.library : ""), e("span", { className: "sr-only" }, " (item " + item.key + ", new tab)"))
      : null;
  }

  // The dashboard as this browser reaches it, by what it listens on and the names that it answers to; "" if it can't.
  function dashboardUrl(place) {
    const url = new URL(place.url);
    const here = window.location.hostname.replace(/^\[|\]$/g, "").toLowerCase();
    if (place.reach === "machine") {
      return ["localhost", "127.0.0.1", "::1"].includes(here) ? url.origin : "";
    }
    if (place.reach === "network") {
      const isAddress = /^[\d.]+$/.test(here) || here.includes(":");
      if (!isAddress && !place.names.includes(here)) {
        return "";
      }
      url.hostname = window.location.hostname;
    }
    return url.origin;
  }

  // Runs one action at a time and keeps its message.
  function useDeeds(after) {
    const [busy, setBusy] = React.useState("");
    const [said, setSaid] = React.useState(null);
    async function run(name, deed) {
      setBusy(name);
      setSaid(null);
      try {
        const text = await deed();
        setSaid(text ? { kind: "success", text } : null);
      } catch (error) {
        setSaid({ kind: "danger", text: error.message });
      }
      // What comes next is shown before anything can be pressed again.
      await after();
      setBusy("");
    }
    return { busy, said, run, after };
  }

  function told(facts, done) {
    if (facts.error) {
      throw new Error(facts.error);
    }
    return done;
  }

  // --- the page -------------------------------------------------------------------------------------------------------

  // The same as in plexsync/rules/words/status_words.py, which tests/stash_plugin/test_page_words.py checks: the word on screen,
  // whether it is good (null: neither), and the names in JSON that it covers.
  const STATUSES = [
    ["in sync", true, ["in_step"]],
    ["queued", null, ["waiting"]],
    ["not in Plex yet", null, ["absent"]],
    ["needs you", false, ["ambiguous", "failed"]],
    ["ignored", null, ["ignored", "not_shown", "dropped"]],
    ["out of scope", null, ["outside"]],
    ["undone", null, ["undone"]],
    ["released", null, ["released"]],
    ["gone", null, ["gone"]]
  ];

  const WAYS = { line: "by a line of Stash's log", hook: "by the hook", poll: "by a poll" };

  const JOBS = {
    "idle": "in sync",
    "running": "syncing",
    "ready": "queued",
    "absent": "not in Plex yet",
    "dead": "needs you",
    "ignored": "ignored",
    "outside": "out of scope",
    "dropped": "ignored",
    "gone": "gone"
  };

  const WORKER = { "running": "runs", "starting": "is starting", "hangs": "hangs: start it again", "rests": "rests until something happens", "not running": "does not run" };
  const WORKER_GOOD = { "running": true, "starting": null, "hangs": false, "rests": null, "not running": false };

  const SERVER = { "up": "up", "down": "down", "hold": "on hold", "failing": "failing", "throttled": "throttled" };

  // The worker's own status; without one, a single answer: it is not asked for again before you want it. One that says that
  // a worker runs is asked for once more, since a worker that ends removes its status first.
  function useStatus(first, toGuide) {
    const [facts, setFacts] = React.useState(first || null);
    const [wrong, setWrong] = React.useState([]);
    const [, setTurns] = React.useState(0);
    const live = React.useRef(true);
    const under = React.useRef(false);
    const asked = React.useRef(0);
    const enough = React.useRef(1);
    const query = React.useCallback(async () => {
      if (under.current) {
        return;
      }
      under.current = true;
      let found;
      try {
        found = await ask("page_status");
      } catch (error) {
        found = { error: error.message, notStarted: error.notStarted };
      }
      const read = await readStatus().catch(() => null);
      under.current = false;
      asked.current = read ? 0 : asked.current + 1;
      enough.current = found.worker && found.worker.running ? 2 : 1;
      if (live.current && found.guide) {
        toGuide();
      }
      if (live.current) {
        setWrong(found.wrong_settings || []);
        setFacts(Object.assign(read && !found.error ? Object.assign({ live: true }, read) : found, { got: Date.now() }));
      }
    }, [toGuide]);
    const look = React.useCallback(async () => {
      const read = await readStatus().catch(() => null);
      if (!live.current || under.current) {
        return;
      }
      if (read) {
        asked.current = 0;
        setFacts(Object.assign({ live: true, got: Date.now() }, read));
      } else if (asked.current < enough.current) {
        query();
      }
    }, [query]);
    React.useEffect(() => {
      live.current = true;
      query();
      const timer = window.setInterval(() => {
        if (document.visibilityState === "visible") {
          look();
          // What nobody answers any more grows old.
          setTurns((turns) => turns + 1);
        }
      }, PACE);
      return () => {
        live.current = false;
        window.clearInterval(timer);
      };
    }, [look, query]);
    return [facts, wrong, query];
  }

  function Page({ first, toGuide }) {
    const [facts, wrong, look] = useStatus(first, toGuide);
    const [preview, setPreview] = React.useState(null);
    const [letters, setLetters] = React.useState(null);
    const count = facts && facts.dlq ? facts.dlq.count : 0;
    const readLetters = React.useCallback(() => {
      if (count) {
        ask("page_letters").then(setLetters, (error) => setLetters({ error: error.message }));
      } else {
        setLetters(null);
      }
    }, [count]);
    React.useEffect(readLetters, [readLetters]);
    const deeds = useDeeds(() => {
      look();
      readLetters();
    });
    React.useEffect(() => {
      const before = document.title;
      document.title = "PlexSync";
      return () => {
        document.title = before;
      };
    }, []);
    return e(
      "div",
      { className: "plexsync-page" },
      e("h1", null, "PlexSync"),
      deeds.said && e(Note, { kind: deeds.said.kind }, deeds.said.text),
      facts === null && e("p", { role: "status" }, "Asking …"),
      e(WrongSettings, { wrong }),
      facts && !facts.error && e(Verdict, { facts }),
      facts && !facts.error && e(Age, { facts, deeds }),
      facts && !facts.error && facts.plex && e("h2", null, facts.plex),
      facts && facts.error && !wrong.length && e(Trouble, { facts, deeds }),
      facts && !facts.error && shared.Actions && e(shared.SignInNeeded, { facts, look }),
      facts && !facts.error && shared.Actions && e(shared.Plays, { facts, look }),
      facts && !facts.error && e(Status, { facts, deeds, show: setPreview }),
      preview && shared.Changes && e(Preview, { preview, close: () => setPreview(null) }),
      letters && e(Letters, { letters, deeds }),
      facts && !facts.error && shared.Actions && e(shared.Actions, { look })
    );
  }

  function WrongSettings({ wrong }) {
    return wrong.length ? e(Note, { kind: "danger" }, wrong.map((line, n) => e("p", { key: n }, line))) : null;
  }

  const TONES = { well: "success", wait: "warning", bad: "danger" };

  // Whether a part of the verdict needs you. A worker of an earlier version tells it by the colour alone.
  const isYours = (part) => (part.yours === undefined ? part.tone === "bad" : part.yours);

  // What is not well at the other ones of several Plex servers; an empty list with a single one.
  function others(facts) {
    const unwell = (facts.servers || []).filter((one) => one.plex !== facts.plex && one.verdict.tone !== "well");
    const texts = unwell.map(({ plex, verdict }) => {
      const parts = verdict.parts.filter((part) => part.tone === verdict.tone);
      return { plex, tone: verdict.tone, yours: verdict.parts.some(isYours), text: plex + ": " + parts.map((part) => part.text).join(", ") };
    });
    const problems = (facts.problem || "").split("\n").filter((line) => line);
    return texts.concat(problems.map((text) => ({ plex: "", tone: "bad", text })));
  }

  // The first line: how everything stands. It is good only while it is fresh: both times are of this browser.
  function Verdict({ facts }) {
    if (!facts.verdict) {
      return null;
    }
    const old = Date.now() - facts.got >= OLD;
    const { parts, next_check } = facts.verdict;
    const beside = others(facts);
    const tone = ["bad", "wait", "well"].find((one) => one === facts.verdict.tone || beside.some((other) => other.tone === one));
    const last = parts.map(isYours).lastIndexOf(true);
    return e(
      Note,
      { kind: old ? (tone === "bad" ? "danger" : "secondary") : TONES[tone] },
      e(
        "strong",
        null,
        old && "As it was " + ago(new Date(facts.got).toISOString()) + ": ",
        facts.plex && facts.plex + ": ",
        parts.map((part, n) => e(React.Fragment, { key: n }, n > 0 && " · ", part.text, n === last && e(Ways, { facts }))),
        beside.map((other) => e(React.Fragment, { key: other.text }, " · ", other.text, other.plex && e(WayBeside, { facts, other }))),
        !old && next_check && e("span", { "aria-live": "off" }, " · next check ", e(When, { at: next_check }))
      )
    );
  }

  // What mends what needs you: a part of this page, the dashboard, or where no link leads to it, a command.
  function Ways({ facts }) {
    const url = facts.dashboard ? dashboardUrl(facts.dashboard) : "";
    return e(
      React.Fragment,
      null,
      canMend(facts) && e(ToMend),
      url && e(React.Fragment, null, " ", e(Away, { href: url + "/fix" }, "→ Fix"), " on the ", e(Away, { href: url + "/" }, "dashboard")),
      facts.dashboard && !url && " → plexsync fix in a terminal"
    );
  }

  // The page of another Plex server in the dashboard, or where no link leads to it, a command.
  function WayBeside({ facts, other }) {
    const url = facts.dashboard ? dashboardUrl(facts.dashboard) : "";
    if (url) {
      return e(React.Fragment, null, " ", e(Away, { href: url + "/plex/" + other.plex + (other.yours ? "/fix" : "/") }, "→ " + other.plex));
    }
    return other.yours ? " → plexsync fix --plex " + other.plex + " in a terminal" : null;
  }

  function Dashboard({ place }) {
    const url = dashboardUrl(place);
    if (url) {
      return e(Away, { href: url + "/" }, url);
    }
    return place.reach === "machine"
      ? place.url + ", on its own machine only"
      : place.url + ", but not under the name " + window.location.hostname + " (web_allowed_hosts)";
  }

  // Whether a part of this page settles some of what needs you.
  function canMend(facts) {
    return facts.bulk_approved === false || Boolean(facts.plays && facts.plays.first) || Boolean(facts.setting_change) || (facts.dlq && facts.dlq.count > 0) || Object.values(facts.holds || {}).some((hold) => hold.choice || hold.setting === "plex_token");
  }

  // Leads down to the first part of the page that settles something.
  function ToMend() {
    const go = () => {
      const place = document.querySelector(".plexsync-mend");
      if (place) {
        place.scrollIntoView({ block: "start" });
        place.focus({ preventScroll: true });
      }
    };
    return e(React.Fragment, null, " ", e("button", { type: "button", className: "btn btn-link plexsync-to-mend", onClick: go }, "→ fix"));
  }

  function Age({ facts, deeds }) {
    return e(
      "p",
      { className: "plexsync-age" },
      facts.live ? "As the worker wrote it " : "No worker answers. As it was ",
      e(When, { at: facts.at }),
      " ",
      deeds && e(Button, { busy: deeds.busy, onClick: () => deeds.run("refresh", async () => "") }, "Refresh")
    );
  }

  async function readPreview(show) {
    const found = await ask("page_preview");
    show(told(found, found));
    return "";
  }

  function Preview({ preview, close }) {
    return e(
      "section",
      { "aria-label": "Preview", className: "plexsync-preview" },
      e("p", null, "The preview of ", e(When, { at: new Date(preview.at).toISOString() }), " ", e(Button, { onClick: close }, "Close the preview")),
      e(shared.Changes, { found: preview })
    );
  }

  function Trouble({ facts, deeds }) {
    if (facts.installation && facts.installation.running) {
      return e(Note, { kind: "info" }, "PlexSync was updated: its packages are being installed, " + Math.round(100 * facts.installation.part) + " %.");
    }
    if (facts.notStarted) {
      return e(NoPython, { error: facts.error });
    }
    const lines = String(facts.error).split("\n");
    return e(
      Note,
      { kind: facts.installed === false ? "warning" : "danger" },
      lines.map((line, n) => e("p", { key: n }, line)),
      facts.installed === false &&
        e(Button, { kind: "primary", busy: deeds.busy, onClick: () => task(deeds, "Install or repair dependencies") }, "Install now"),
      facts.too_old && e(Button, { kind: "primary", busy: deeds.busy, onClick: () => beginAnew(deeds) }, "Begin anew")
    );
  }

  // Stash could not start PlexSync at all: the way round is the container, whose lines are here to copy.
  function NoPython({ error }) {
    const copy = () => navigator.clipboard && navigator.clipboard.writeText(COMPOSE).catch(() => {});
    return e(
      Note,
      { kind: "danger" },
      e("p", null, e("strong", null, "Stash can't start PlexSync: it needs Python 3.11 or newer, with pip, where Stash runs.")),
      e("p", null, "Install it and name it under Settings, System, Python path; or run PlexSync in a container of its own, beside Stash and Plex:"),
      e("pre", { className: "plexsync-lines" }, COMPOSE),
      e("p", null, e(Button, { onClick: copy }, "Copy these lines"), " The documentation says more under Install, As a container."),
      e("details", null, e("summary", null, "What Stash says"), error)
    );
  }

  // A database from before all that this PlexSync can bring up is kept, and another one takes its place.
  function beginAnew(deeds) {
    if (window.confirm("Move the old database away, and begin anew? It is kept as a file beside the new one.")) {
      deeds.run("anew", async () => {
        const found = await ask("page_anew");
        return told(found, "Kept as " + (found.kept || []).join(", ") + ". Start the worker: it begins anew.");
      });
    }
  }

  function task(deeds, name) {
    return deeds.run(name, async () => {
      const job = await startTask(name);
      // What it has changed is asked for at its end, in the background.
      ended(job).then(deeds.after, () => undefined);
      return name + " is in Stash's queue: its progress is under Settings, Tasks, and what it says in Stash's log.";
    });
  }

  function serverLight(facts, who) {
    const breaker = facts.breakers[who] || {};
    const hold = facts.holds[who];
    const pace = facts.paces && facts.paces[who] && facts.paces[who].not_before;
    if (hold) {
      return e(Light, { good: false }, SERVER.hold + ": " + hold.message);
    }
    if (breaker.state === "closed") {
      return e(Light, { good: breaker.error ? null : true }, breaker.error ? SERVER.failing + ": " + breaker.error : pace ? SERVER.throttled : SERVER.up);
    }
    const again = breaker.next_probe_at ? ", next probe " + ago(breaker.next_probe_at) : "";
    return e(Light, { good: false }, SERVER.down + again + (breaker.error ? ": " + breaker.error : ""));
  }

  function Status({ facts, deeds, show }) {
    const runs = facts.worker.running;
    const state = runs ? (facts.worker.starting ? "starting" : facts.worker.alive === false ? "hangs" : "running") : facts.inside && !facts.worker.ended ? "rests" : "not running";
    const scenesOf = (names) => names.reduce((sum, name) => sum + ((facts.scenes[name] || {}).count || 0), 0);
    const tiles = STATUSES.map(([word, good, names]) => [word, good, scenesOf(names)]).filter(([, , count], n) => n < 4 || count);
    const jobs = facts.jobs || {};
    return e(
      React.Fragment,
      null,
      ["plex", "stash"].filter((who) => facts.holds[who] && facts.holds[who].choice).map((who) => e(Question, { key: who, hold: facts.holds[who], deeds })),
      (facts.bulk_approved === false || facts.setting_change) && e(FirstWrite, { deeds, show, change: facts.setting_change }),
      facts.worker.enabled === false && e(Note, { kind: "warning" }, "PlexSync is switched off: events are kept, and nothing is sent."),
      !runs && !facts.inside && (jobs.ready || (facts.events && facts.events.waiting)) > 0 &&
        e(Note, { kind: "warning" }, "No worker is running, so scenes stay queued: start the worker, or drain the queue once."),
      e(
        "div",
        { className: "plexsync-tiles" },
        tiles.map(([word, good, count]) => {
          const kind = count && good !== null ? (good ? " plexsync-good" : " plexsync-bad") : "";
          return e(
            "div",
            { key: word, className: "plexsync-tile" + kind },
            e("strong", null, count.toLocaleString()),
            e("span", null, word === STATUSES[0][0] ? inSync(facts.kept_fields) : word)
          );
        })
      ),
      e(
        "dl",
        { className: "plexsync-facts" },
        row("Plex", serverLight(facts, "plex")),
        row("Stash", serverLight(facts, "stash")),
        facts.breakers["stash:write"] ? row("Writing to Stash", serverLight(facts, "stash:write")) : null,
        row(
          "Worker",
          e(Light, { good: WORKER_GOOD[state] }, WORKER[state]),
          " (last sign of life ",
          e(When, { at: facts.worker.heartbeat }),
          ")"
        ),
        facts.dashboard ? row("Dashboard", e(Dashboard, { place: facts.dashboard })) : null,
        row("Queue", many(facts.due, "scene") + " due now", facts.oldest_due ? [", the oldest since ", e(When, { key: "w", at: facts.oldest_due })] : ""),
        facts.events && facts.events.waiting ? row("Events", many(facts.events.waiting, "event") + " kept as files for the worker") : null,
        facts.edits ? row("Last edit in Stash", ...(facts.edits.last_at ? [e(When, { at: facts.edits.last_at }), " " + WAYS[facts.edits.by]] : ["none has arrived here yet"])) : null,
        row("Last poll of Stash", e(When, { at: facts.last_poll })),
        row("Last full comparison", e(When, { at: facts.last_reconcile }), facts.comparison_due ? " (due)" : ""),
        facts.verified ? row("Verified", facts.verified.in_sync.toLocaleString() + " of " + (facts.verified.in_sync + facts.verified.differ).toLocaleString() + " were " + inSync(facts.verified.kept_fields) + (facts.verified.sample ? ", a sample, " : ", "), e(When, { at: facts.verified.at })) : null,
        (facts.outages ? facts.outages.current : []).map((one, n) =>
          e(React.Fragment, { key: n }, e("dt", null, "Outage"), e("dd", null, one.server + " since ", e(When, { at: one.since }), one.error ? ": " + one.error : ""))
        )
      ),
      e(Buttons, { runs, inside: facts.inside, deeds, show })
    );
  }

  function row(name, ...what) {
    return e(React.Fragment, { key: name }, e("dt", null, name), e("dd", null, ...what));
  }

  function Question({ hold, deeds }) {
    const accept = () => {
      if (window.confirm(hold.message + ". Accept the change?")) {
        deeds.run("accept", async () => {
          const found = await ask("page_accept", { choice: hold.choice });
          return told(found, "Accepted: " + (found.worker ? "every scene is compared now" : "run Reconcile to compare every scene"));
        });
      }
    };
    return e(
      Note,
      { kind: "warning", mends: true },
      e("p", null, "PlexSync needs you: " + hold.message + "."),
      e(Button, { busy: deeds.busy, onClick: accept }, "Accept the change")
    );
  }

  function makePreview(deeds, show) {
    deeds.run("Preview", async () => {
      await ended(await startTask("Preview"));
      return readPreview(show);
    });
  }

  // The first write of the library, or what a changed setting would write: either waits for one yes.
  function FirstWrite({ deeds, show, change }) {
    const agree = () => {
      if (window.confirm(change ? change.text + ". Write it to Plex?" : "Write the whole library to Plex? You approve it only once.")) {
        deeds.run("approve", async () => {
          const found = await ask("page_approve");
          return told(found, many(found.wanted || 0, "scene") + " queued" + (found.worker ? "" : "; start the worker to sync them"));
        });
      }
    };
    return e(
      Note,
      { kind: "info", mends: true },
      e("p", null, change ? change.text + ". Look at the changes, write them, or set it back in the settings. Scenes that you edit are synced at once." : "PlexSync does not write the whole library before you approve it once. Preview the changes, then approve them. Scenes that you edit are synced at once."),
      e(Button, { busy: deeds.busy, onClick: () => makePreview(deeds, show) }, "Preview"),
      e(Button, { kind: "primary", busy: deeds.busy, onClick: agree }, change ? "Write it to Plex" : "Approve, and sync all")
    );
  }

  function Buttons({ runs, inside, deeds, show }) {
    const one = (name, title, kind) => e(Button, { key: name, kind, title, busy: deeds.busy, onClick: () => task(deeds, name) }, name);
    return e(
      "div",
      { className: "plexsync-buttons", role: "group", "aria-label": "Tasks" },
      runs || inside
        ? one("Stop the worker", "Ends it in good order; changes are kept until it is started again")
        : one("Start the worker", "Runs it beside Stash. Only plexsync serve answers Plex in libraries that ask PlexSync", "primary"),
      one("Sync recent", "What was changed in the last 24 hours"),
      one("Sync all", "Every scene"),
      one("Reconcile", "Runs a full comparison of Stash and Plex"),
      !runs && one("Drain", "Syncs the queued scenes, once"),
      e(Button, { key: "show", busy: deeds.busy, onClick: () => deeds.run("show", () => readPreview(show)) }, "Show the preview"),
      one("Run the doctor", "Checks everything; the results are in Stash's log"),
      one("Install or repair dependencies", "The packages that PlexSync needs")
    );
  }

  function Letters({ letters, deeds }) {
    if (letters.error) {
      return e(Note, { kind: "danger" }, letters.error);
    }
    const name = (one) => (one.kind === "scene" ? String(one.id) : one.kind + ":" + one.id);
    const again = (args, count) =>
      deeds.run("retry", async () => told(await ask("page_retry", args), many(count, "dead letter") + " retried"));
    const drop = (one) => {
      if (window.confirm("Drop " + one.kind + " " + one.id + " until it is edited again?")) {
        deeds.run("drop", async () => told(await ask("page_drop", { rows: [name(one)] }), one.kind + " " + one.id + " was dropped"));
      }
    };
    const rows = letters.rows || [];
    return e(
      "section",
      { "aria-label": "Dead letters", className: "plexsync-mend", tabIndex: -1 },
      e("h2", null, "Dead letters: " + letters.dead.toLocaleString()),
      letters.banner && e(Note, { kind: "warning" }, letters.banner),
      (letters.causes || []).map((cause) =>
        e("p", { key: cause.cause }, e("strong", null, cause.cause + " (" + cause.count.toLocaleString() + "): "), cause.meaning + ". Cure: " + cause.advice)
      ),
      e(Button, { busy: deeds.busy, onClick: () => again({ all: true }, letters.dead) }, "Retry all"),
      e(
        "div",
        { className: "plexsync-wide" },
        e(
          "table",
          { className: "table table-striped" },
          e("thead", null, e("tr", null, ["what", "cause", "since", "error", ""].map((head, n) => e("th", { key: n, scope: "col" }, head)))),
          e(
            "tbody",
            null,
            rows.slice(0, SHOWN).map((one) =>
              e(
                "tr",
                { key: name(one) },
                e("td", null, e(Link, { to: "/" + one.kind + "s/" + one.id }, one.kind + " " + one.id)),
                e("td", null, one.cause),
                e("td", null, e(When, { at: one.since })),
                e("td", null, one.error),
                e(
                  "td",
                  { className: "plexsync-deeds" },
                  e(Button, { busy: deeds.busy, onClick: () => again({ rows: [name(one)] }, 1) }, "Retry"),
                  e(Button, { busy: deeds.busy, onClick: () => drop(one) }, "Drop")
                )
              )
            )
          )
        )
      ),
      rows.length > SHOWN && e("p", null, "and " + (rows.length - SHOWN).toLocaleString() + " more")
    );
  }

  // --- the tab of a scene ---------------------------------------------------------------------------------------------

  function Scene({ id }) {
    const [facts, setFacts] = React.useState(null);
    const [whole, setWhole] = React.useState(false);
    const asked = React.useRef(0);
    const look = React.useCallback(async () => {
      const mine = (asked.current += 1);
      let found;
      try {
        found = await ask("page_scene", { scene: id });
      } catch (error) {
        found = { error: error.message };
      }
      if (mine === asked.current) {
        setFacts(found);
      }
    }, [id]);
    React.useEffect(() => {
      setFacts(null);
      look();
      return () => {
        asked.current += 1;
      };
    }, [look]);
    const deeds = useDeeds(look);
    const sync = () =>
      deeds.run("sync", async () => {
        const found = await ask("page_sync", { scene: id });
        if (found.undone) {
          throw new Error("This scene is undone, so nothing is synced. The button Redo ends that.");
        }
        const later = found.why ? "It is queued. " + found.why : "The worker syncs it now: refresh in a moment.";
        return told(found, found.outcomes ? "" : later);
      });
    const act = (verb, question, later) => () => {
      if (!question || window.confirm(question)) {
        deeds.run(verb, async () => {
          const found = await ask("page_act", { scene: id, verb });
          return told(found, found.outcomes ? "" : found.redone || found.undone ? later : "Nothing was changed.");
        });
      }
    };
    const redo = act("redo", "", "The worker syncs it now: refresh in a moment.");
    const decide = (target, one, verb) =>
      deeds.run(verb, async () => {
        const found = await ask("page_act", { scene: id, verb, field: one.field, library: target.library });
        const name = FIELDS[one.field] || one.field;
        const words = { take: name + ": Stash's value goes to Plex" + (found.worker ? " now: refresh in a moment." : "."), keep: name + " follows Plex from now on.", unkeep: name + " is no longer kept." };
        return told(found, words[verb]);
      });
    const testWay = () =>
      deeds.run("ping", async () => {
        const found = await ask("page_ping", { scene: id });
        return told(found, found.line);
      });
    const undo = act("undo", "Take back what PlexSync wrote for this scene?", "The worker takes it back now: refresh in a moment.");
    const resting = facts && (facts.stands === "undone" || facts.stands === "released");
    const job = facts && facts.job;
    return e(
      "div",
      { className: "plexsync-scene" },
      deeds.said && e(Note, { kind: deeds.said.kind }, deeds.said.text),
      facts === null && e("p", { role: "status" }, "Asking Stash and Plex …"),
      facts && facts.error && !facts.wrong_settings && e(Note, { kind: "danger" }, facts.error),
      facts && e(WrongSettings, { wrong: facts.wrong_settings || [] }),
      facts && facts.verdict && e("p", { className: "plexsync-verdict" }, e(Light, { good: goodness(facts) }, facts.verdict.replace(" (the tab Plex of the scene)", ""))),
      facts && facts.plays && e("p", { className: "plexsync-plays" }, "Plays: " + facts.plays.text + "."),
      facts && facts.plays && e("ul", { className: "plexsync-viewings" }, facts.plays.lines.map((line, n) => e("li", { key: n }, line))),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(Button, { kind: "primary", busy: deeds.busy || facts === null, onClick: resting ? redo : sync }, deeds.busy ? "Syncing …" : resting ? "Redo" : "Sync now"),
        facts && !resting && (facts.targets || []).length > 0 && e(Button, { busy: deeds.busy, onClick: undo }, "Undo"),
        e(Button, { busy: deeds.busy, onClick: () => { setFacts(null); look(); } }, "Refresh"),
        e(Button, { busy: deeds.busy || facts === null, onClick: testWay }, "Test the way"),
        e(Link, { to: PATH }, "All of PlexSync")
      ),
      job && job.state !== "idle" && JOBS[job.state] && e("p", null, queued(job)),
      facts && facts.candidates && facts.candidates.length > 0 && e(Candidates, { id, candidates: facts.candidates, deeds }),
      facts && (facts.targets || []).map((target) => e(Target, { key: target.key, target, whole, resting, deeds, decide })),
      facts && (facts.targets || []).length > 0 &&
        e("label", null, e("input", { type: "checkbox", checked: whole, onChange: (event) => setWhole(event.target.checked) }), " Show the fields that stay as they are"),
      facts && (facts.steps || []).length > 0 &&
        e("details", null, e("summary", null, "How it was matched"), e("ol", null, facts.steps.map((step, n) => e("li", { key: n }, step.text)))),
      shared.Part && e(shared.Part, { name: "Settings, with a preview of this scene" }, e(shared.Settings, { scene: id }))
    );
  }

  function inSync(kept) {
    return STATUSES[0][0] + (kept ? " but for " + many(kept, "field") + " kept in Plex" : "");
  }

  function queued(job) {
    const next = job.next_try_at && Date.parse(job.next_try_at) > Date.now() ? ", next try " + ago(job.next_try_at) : "";
    return "Status: " + JOBS[job.state] + next + (job.error ? ": " + job.error : ".");
  }

  function goodness(facts) {
    if (facts.error) {
      return false;
    }
    return facts.verdict === STATUSES[0][0] ? true : facts.candidates && facts.candidates.length ? false : null;
  }

  // What you can decide about a field that you edited in Plex.
  const DECISIONS = {
    undecided: [["take", "Use Stash's"], ["keep", "Keep Plex's"]],
    kept: [["take", "Use Stash's"], ["unkeep", "No longer keep Plex's"]]
  };

  function Target({ target, whole, resting, deeds, decide }) {
    const stays = (one) => one.action.startsWith("nothing");
    const fields = target.fields.filter((one) => whole || !stays(one) || one.why.length || one.yours);
    if (!fields.length) {
      return e("p", null, "Item " + target.key + (resting ? " is left as it is in Plex. " : " shows what Stash says. "), e(OpenInPlex, { item: target }));
    }
    return e(
      "div",
      { className: "plexsync-wide" },
      e(
        "table",
        { className: "table table-striped" },
        e("caption", null, "Item " + target.key + " in Plex. ", e(OpenInPlex, { item: target })),
        e("thead", null, e("tr", null, ["field", "Stash says", "Plex shows", "would do"].map((head) => e("th", { key: head, scope: "col" }, head)))),
        e(
          "tbody",
          null,
          fields.map((one) =>
            e(
              "tr",
              { key: one.field, className: stays(one) ? "" : "plexsync-changes" },
              e("th", { scope: "row" }, FIELDS[one.field] || one.field),
              e("td", null, shownAs(one.field, one.stash)),
              e("td", null, shownAs(one.field, one.plex), one.locked ? e("span", { className: "plexsync-locked", title: "locked in Plex" }, " (locked)") : ""),
              e("td", null, one.action, [one.reason].concat(one.why.map((note) => note.text)).filter(Boolean).map((text, n) => e("small", { key: n }, text)), e("div", { className: "plexsync-choices" }, (DECISIONS[one.yours] || []).map(([verb, words]) => e(Button, { key: verb, busy: deeds.busy, onClick: () => decide(target, one, verb) }, words))))
            )
          )
        )
      )
    );
  }

  function Candidates({ id, candidates, deeds }) {
    const use = (one) =>
      deeds.run("bind", async () => told(await ask("page_bind", { scene: id, item: one.key }), "Item " + one.key + " is the scene's from now on."));
    return e(
      React.Fragment,
      null,
      e("p", null, candidates.length > 1 ? "Several items could be it, and PlexSync does not guess. Say which one is right:" : "One item could be it, and PlexSync does not guess:"),
      e(
        "ul",
        null,
        candidates.map((one) => e("li", { key: one.key }, !one.bound_to && e(Button, { busy: deeds.busy, onClick: () => use(one) }, "Use this item"), " ", one.path, ": ", one.why, " ", e(OpenInPlex, { item: one })))
      )
    );
  }

  // --- extension points of Stash --------------------------------------------------------------------------------------

  function attempt(deed) {
    try {
      deed();
    } catch (error) {
      console.warn("PlexSync: a part of it is not shown in this Stash:", error);
    }
  }

  function add(point, part) {
    attempt(() =>
      api.patch.before(point, function (props) {
        return [Object.assign({}, props, { children: e(React.Fragment, null, props.children, e(Fence, null, part(props))) })];
      })
    );
  }

  // The set-up guide, in setup.js, is shown in place of the page as long as PlexSync is not set up.
  const shared = { React, e, ask, told, many, shownAs, startTask, ended, useDeeds, When, Note, Button, Link, Status, FIELDS, PACE };
  window.PlexSyncPage = shared;
  function Guarded() {
    const [setup, setSetup] = React.useState(null);
    const [first, setFirst] = React.useState(lastStatus());
    const been = React.useRef(Boolean(first));
    const look = React.useCallback(() => {
      ask("setup_state").then(setSetup, () => setSetup({ stage: "" }));
    }, []);
    React.useEffect(() => {
      // What the worker wrote is painted before any process is started: where one runs, PlexSync is set up.
      readStatus().catch(() => null).then((read) => {
        if (read) {
          setFirst(Object.assign({ live: true, got: Date.now() }, read));
          setSetup({ stage: "" });
        } else {
          look();
        }
      });
    }, [look]);
    if (setup === null) {
      return e("div", { className: "plexsync-page" }, e("h1", null, "PlexSync"), first ? e(Verdict, { facts: first }) : e("p", { role: "status" }, "Asking …"), first && e(Age, { facts: first }));
    }
    if (setup.stage && shared.Guide) {
      return e(shared.Guide, { first: setup, close: () => setSetup({ stage: "" }), again: been.current });
    }
    been.current = true;
    return e(Page, { first, toGuide: look });
  }

  attempt(() => api.register.route(PATH, fenced(Guarded)));

  const bootstrap = libraries.Bootstrap || {};
  if (bootstrap.Nav && bootstrap.Tab) {
    add("ScenePage.Tabs", () => e(bootstrap.Nav.Item, null, e(bootstrap.Nav.Link, { eventKey: PANE }, "Plex")));
    // No request is sent before the tab is opened.
    add("ScenePage.TabContent", (props) =>
      props.scene
        ? e(bootstrap.Tab.Pane, { eventKey: PANE, mountOnEnter: true, unmountOnExit: true }, e(Scene, { id: props.scene.id }))
        : null
    );
  }

  const linked = () => e(Link, { to: PATH }, e("span", { className: "btn btn-secondary" }, "PlexSync"));
  // Stash has several of these sections on one page, and the link belongs there once.
  let owner = null;
  function OnceLinked() {
    const self = React.useRef({});
    const [mine, setMine] = React.useState(false);
    React.useEffect(() => {
      if (!owner) {
        owner = self.current;
        setMine(true);
      }
      return () => {
        owner = owner === self.current ? null : owner;
      };
    }, []);
    return mine ? linked() : null;
  }
  add("SettingsToolsSection", () => e(OnceLinked));
  add("MainNavBar.UtilityItems", () =>
    e("span", { className: "plexsync-nav", title: "PlexSync: is Plex in sync?" }, e(Link, { to: PATH }, "PlexSync"))
  );
})();
