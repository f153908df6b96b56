/* What PlexSync's page in Stash does beside showing how things stand: the first plays, signing in again, taking back, an import,
 * and all settings.
 *
 * What may take long runs as a task in Stash's queue, and its answer is fetched at its end. Each is shown before it is done.
 */
(function () {
  "use strict";

  const page = window.PlexSyncPage;
  if (!page) {
    return;
  }
  const { React, e, ask, told, many, shownAs, startTask, ended, useDeeds, When, Note, Button, Link, FIELDS } = page;
  const CONFIRM = 2500;
  // The number of runs that are shown.
  const MOST = 20;
  const HEAD = { scope: "col" };

  // --- what takes longer ------------------------------------------------------------------------------------------------

  // Runs it in Stash's queue, and returns the answer; `progress` is told how far it is.
  async function longer(what, args, progress) {
    const ticket = Array.from(window.crypto.getRandomValues(new Uint8Array(12)), (one) => (one % 36).toString(36)).join("");
    progress("Waiting in Stash's queue …");
    const job = await startTask(null, { mode: "answer", ask: what, ticket, ...args }, "PlexSync: " + what);
    await ended(job, (found) => progress(found.status === "READY" ? "Waiting in Stash's queue …" : "Working" + (found.progress > 0 ? ": " + Math.round(100 * found.progress) + " %" : " …")));
    const facts = await ask("page_answer", { ticket });
    return told(facts, facts);
  }

  // One thing at a time that takes longer: what it says meanwhile, and what it found last.
  function useLonger() {
    const [words, setWords] = React.useState("");
    const [found, setFound] = React.useState(null);
    const deeds = useDeeds(() => setWords(""));
    const begin = (what, args, then) => {
      setFound(null);
      return deeds.run(what, async () => {
        const facts = await longer(what, args, setWords);
        return then ? then(facts) : (setFound({ args, facts }), "");
      });
    };
    return { words, found, begin, deeds, close: () => setFound(null) };
  }

  function Progress({ task }) {
    return e(
      React.Fragment,
      null,
      task.words && e("p", { role: "status" }, task.words),
      task.deeds.said && e(Note, { kind: task.deeds.said.kind }, task.deeds.said.text)
    );
  }

  function complaints(facts) {
    return facts.complaints && facts.complaints.length ? " " + facts.complaints.join("; ") + "." : "";
  }

  function Rows({ heads, rows }) {
    return e(
      "div",
      { className: "plexsync-wide" },
      e(
        "table",
        { className: "table table-striped" },
        e("thead", null, e("tr", null, heads.map((head, n) => e("th", { key: n, ...HEAD }, head || e("span", { className: "sr-only" }, "what can be done"))))),
        e("tbody", null, rows)
      )
    );
  }

  function More({ facts, name }) {
    const all = (facts.listed || {})[name];
    return all ? e("p", null, "and " + (all - facts[name].length).toLocaleString() + " more") : null;
  }

  // --- the first plays --------------------------------------------------------------------------------------------------

  const day = (moment) => (moment ? new Date(moment).toLocaleDateString() : "–");

  function Plays({ facts, look }) {
    const task = useLonger();
    const [since, setSince] = React.useState("");
    const first = facts.plays && facts.plays.first;
    if (!first) {
      return null;
    }
    const args = since ? { since } : {};
    const approve = () => {
      const which = since ? "the plays from " + since + " on" : "these plays";
      if (window.confirm("Add " + which + " to Stash, and new ones from now on? It is asked only once.")) {
        task.begin("plays", { ...args, do: true }, (done) => {
          window.setTimeout(look, 1000);
          return many(done.first.missing, "play") + " approved" + (done.worker ? ": the worker adds them now." : "; start the worker to add them.") + complaints(done);
        });
      }
    };
    const shown = task.found && task.found.facts;
    return e(
      Note,
      { kind: "info", mends: true },
      e("p", null, e("strong", null, "The first plays wait for your yes. "), many(first.in_plex, "play") + " of " + first.account + " in Plex, " + first.missing.toLocaleString() + " of them not in Stash" + (first.oldest ? ", since " + day(first.oldest) : "") + "."),
      e(
        "div",
        { className: "plexsync-buttons" },
        e("label", null, "Only from this day on ", e("input", { type: "date", className: "form-control text-input", value: since, onChange: (event) => setSince(event.target.value) })),
        e(Button, { busy: task.deeds.busy, onClick: () => task.begin("plays", args) }, "Show the plays"),
        e(Button, { kind: "primary", busy: task.deeds.busy, onClick: approve }, "Add them to Stash")
      ),
      e(Progress, { task }),
      shown && e("p", null, many(shown.first.missing, "play") + " would be added to " + many(shown.first.scenes, "scene") + "; " + shown.first.present.toLocaleString() + " are there already."),
      shown && shown.scenes.length > 0 &&
        e(Rows, {
          heads: ["scene", "plays", "from", "until"],
          rows: shown.scenes.map((one) =>
            e(
              "tr",
              { key: one.id },
              e("td", null, e(Link, { to: "/scenes/" + one.id }, one.title || "scene " + one.id)),
              e("td", null, one.error || one.missing.length.toLocaleString()),
              e("td", null, day(one.missing[0])),
              e("td", null, day(one.missing[one.missing.length - 1]))
            )
          )
        }),
      shown && shown.first.scenes > shown.scenes.length && e("p", null, "and " + (shown.first.scenes - shown.scenes.length).toLocaleString() + " more")
    );
  }

  // --- signing in again -------------------------------------------------------------------------------------------------

  const isBarred = (facts) => Boolean((facts.holds || {}).plex && facts.holds.plex.setting === "plex_token");

  // It stays, with what it says, when the worker goes on with the new token.
  function SignInNeeded({ facts, look }) {
    const [needed, setNeeded] = React.useState(false);
    const barred = isBarred(facts);
    React.useEffect(() => {
      if (barred) {
        setNeeded(true);
      }
    }, [barred]);
    return barred || needed ? e(Note, { kind: "warning", mends: true }, e(SignIn, { needed: barred, look })) : null;
  }

  function SignIn({ needed, look }) {
    const [pin, setPin] = React.useState(null);
    const deeds = useDeeds(() => undefined);
    React.useEffect(() => {
      if (!pin) {
        return undefined;
      }
      let under = false;
      const timer = window.setInterval(async () => {
        if (under || document.visibilityState !== "visible") {
          return;
        }
        under = true;
        await deeds.run("renew", async () => {
          const found = await ask("page_renew");
          if (found.error || found.renewed) {
            setPin(null);
          } else if (!found.pin) {
            setPin(null);
            throw new Error("The PIN was not confirmed in time: get a new one.");
          }
          if (found.renewed) {
            window.setTimeout(look, 1000);
          }
          return told(found, found.renewed ? "Signed in: " + found.renewed + " has a new token." + (found.worker ? " The worker goes on with it." : "") : "");
        });
        under = false;
      }, CONFIRM);
      return () => window.clearInterval(timer);
    }, [pin]);
    const begin = () =>
      deeds.run("sign-in", async () => {
        const found = await ask("page_sign_in");
        setPin(told(found, found.pin));
        return "";
      });
    return e(
      React.Fragment,
      null,
      needed && e("p", null, e("strong", null, "Plex does not let PlexSync in. "), "Sign in again: the rest stays as it is set up."),
      deeds.said && e(Note, { kind: deeds.said.kind }, deeds.said.text),
      pin
        ? e(
            React.Fragment,
            null,
            e("p", null, "Open the page of Plex, and enter this PIN there:"),
            e("p", { className: "plexsync-pin", "aria-label": "PIN" }, pin.code),
            e("a", { className: "btn btn-primary", href: pin.link, target: "_blank", rel: "noopener noreferrer", onClick: () => navigator.clipboard && navigator.clipboard.writeText(pin.code).catch(() => {}) }, "Open " + pin.link.replace("https://", "")),
            e("p", { role: "status" }, "Waiting for you to confirm it …")
          )
        : e(Button, { kind: needed ? "primary" : "secondary", busy: deeds.busy, onClick: begin }, "Sign in to Plex again")
    );
  }

  // --- taking back ------------------------------------------------------------------------------------------------------

  const KINDS = { everything: "everything", scenes: "scenes", collections: "collections", plays: "plays", resume: "resume points", ratings: "ratings", imports: "imports" };
  const COUNTS = { restore: "fields come back", remove: "lists lose names", unlock: "locks come off", lock: "locks come back", leave: "fields left alone", inspected: "collections looked at", would_change: "would change", resume_points: "resume points", play_times: "play times" };

  function Tiles({ counts }) {
    const shown = Object.entries(counts).filter(([, count]) => typeof count === "number" && count > 0);
    return e("div", { className: "plexsync-tiles" }, shown.map(([name, count]) => e("div", { key: name, className: "plexsync-tile" }, e("strong", null, count.toLocaleString()), e("span", null, COUNTS[name] || name.replace("_", " ")))));
  }

  const named = (args) =>
    args.run ? "run " + args.run : args.number ? (args.kind === "imports" ? "import " : "scene ") + args.number : args.since ? KINDS[args.kind] + " since " + new Date(args.since).toLocaleString() : args.kind === "everything" ? "everything" : "all " + KINDS[args.kind];
  // What a step of a run asks for.
  const asked = (step) => ({ verb: step.verb, kind: step.subject, ...(step.since ? { since: step.since } : step.number ? { number: step.number } : { run: step.run }) });

  function TakeBack({ look }) {
    const [runs, setRuns] = React.useState(null);
    const [kind, setKind] = React.useState("everything");
    const task = useLonger();
    const read = () => ask("page_runs").then(setRuns, (error) => setRuns({ error: error.message }));
    React.useEffect(() => {
      read();
    }, []);
    const show = (args) => task.begin("act", { verb: "undo", ...args });
    const after = () => {
      window.setTimeout(look, 1000);
      read();
    };
    const redo = (args) => {
      if (window.confirm("Write again what was taken back: " + named(args) + "?")) {
        task.begin("act", { ...args, do: true }, (done) => {
          after();
          return "Redone: " + named(args) + (done.worker ? ": the worker does it now." : ".") + complaints(done);
        });
      }
    };
    const preview = task.found;
    const take = () => {
      if (window.confirm("Take back what PlexSync wrote: " + named(preview.args) + "? What you have changed since stays.")) {
        task.begin("act", { ...preview.args, do: true }, (done) => {
          after();
          return "Taken back: " + named(preview.args) + (done.worker && preview.args.kind !== "imports" ? ": the worker does it now." : ".") + complaints(done);
        });
      }
    };
    const button = (args, words) => e(Button, { key: args.verb, busy: task.deeds.busy, onClick: () => (args.verb === "redo" ? redo(args) : show(args)) }, words);
    const words = (step) => (step.verb === "redo" ? "Redo" : "Take back") + (step.since ? " since then" : "") + (step.verb === "redo" ? "" : " …");
    return e(
      React.Fragment,
      null,
      e("p", null, "What was there before comes back, of a run what was there before it; what you have changed since stays. Each is shown before it is done."),
      runs === null && e("p", { role: "status" }, "Asking …"),
      runs && runs.error && e(Note, { kind: "danger" }, runs.error),
      runs && !runs.error && runs.runs.length === 0 && e("p", null, "Nothing was written yet."),
      runs && runs.night && e("p", null, runs.night + "."),
      runs && !runs.error && runs.runs.length > 0 &&
        e(Rows, {
          heads: ["when", "what", "by", ""],
          rows: runs.runs.slice(0, MOST).map((one, n) =>
            e(
              "tr",
              { key: n },
              e("td", null, e(When, { at: one.until })),
              e("td", null, one.words, (one.reason || one.names.length > 0) && e("small", null, [one.reason, one.names.join(", ")].filter(Boolean).join("; "))),
              e("td", null, one.by),
              e("td", { className: "plexsync-deeds" }, one.steps.map((step) => button(asked(step), words(step))))
            )
          )
        }),
      e(
        "div",
        { className: "plexsync-buttons" },
        e("label", null, "All of ", e("select", { className: "form-control text-input", value: kind, onChange: (event) => setKind(event.target.value) }, Object.entries(KINDS).map(([name, words]) => e("option", { key: name, value: name }, words)))),
        button({ kind, all: true }, "Take everything back …")
      ),
      e(Progress, { task }),
      preview && e(Undone, { preview, take, task })
    );
  }

  function Undone({ preview, take, task }) {
    const { facts, args } = preview;
    const { code, listed, counts, complaints: said, error, ...rest } = facts;
    const rows = args.kind === "scenes" && Array.isArray(facts.scenes) ? facts.scenes : [];
    return e(
      Note,
      { kind: "info" },
      e("p", null, e("strong", null, "This would be taken back: " + named(args) + ". "), "Nothing was changed yet."),
      e(Tiles, { counts: counts || rest }),
      rows.map((scene) =>
        e(
          "details",
          { key: scene.id },
          e("summary", null, (scene.title || "scene " + scene.id) + (scene.error ? ": " + scene.error : "")),
          scene.items.map((item) =>
            e(Rows, {
              key: item.key,
              heads: ["field", "Plex shows", "would show"],
              rows: item.fields.map((one) =>
                e("tr", { key: one.field }, e("th", { scope: "row" }, FIELDS[one.field] || one.field), e("td", null, shownAs(one.field, one.now) + (one.locked ? " (locked)" : "")), e("td", null, one.action === "leave" ? "stays: " + one.why : shownAs(one.field, one.then) + (one.then_locked ? " (locked)" : "")))
              )
            })
          )
        )
      ),
      e(More, { facts, name: "scenes" }),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(Button, { kind: "danger", busy: task.deeds.busy, onClick: take }, "Take it back"),
        e(Button, { busy: task.deeds.busy, onClick: task.close }, "Leave it")
      )
    );
  }

  // --- the import -------------------------------------------------------------------------------------------------------

  function Import({ look }) {
    const [create, setCreate] = React.useState(false);
    const task = useLonger();
    const preview = task.found && task.found.facts;
    const [run, setRun] = React.useState(0);
    const fill = () => {
      const { filled } = preview.counts;
      if (window.confirm("Fill fields of " + many(filled, "scene") + " in Stash?")) {
        task.begin("import", { ...task.found.args, do: true }, (done) => {
          setRun(done.outcome ? done.outcome.run : 0);
          look();
          return (done.outcome ? many(done.outcome.fields, "field") + " filled." : "Nothing was filled.") + complaints(done);
        });
      }
    };
    const back = () => {
      if (window.confirm("Take import " + run + " back in Stash?")) {
        task.begin("act", { verb: "undo", kind: "imports", number: run, do: true }, (done) => {
          setRun(0);
          return "Import " + run + " was taken back." + complaints(done);
        });
      }
    };
    return e(
      React.Fragment,
      null,
      e("p", null, "Fills fields that are empty in Stash with what Plex has. A field with a value is never touched, and nothing is written to Plex."),
      e("label", null, e("input", { type: "checkbox", checked: create, onChange: (event) => setCreate(event.target.checked) }), " Create the performers, studios and tags that Stash does not have"),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(Button, { busy: task.deeds.busy, onClick: () => task.begin("import", create ? { create } : {}) }, "Show what would be filled"),
        run > 0 && e(Button, { busy: task.deeds.busy, onClick: back }, "Take import " + run + " back")
      ),
      e(Progress, { task }),
      preview && e(Filled, { facts: preview, fill, task })
    );
  }

  function Filled({ facts, fill, task }) {
    const scenes = facts.scenes.filter((scene) => scene.fields.length);
    return e(
      Note,
      { kind: "info" },
      e("p", null, many(facts.counts.scenes, "scene") + " looked at" + (facts.counts.skipped ? ", " + facts.counts.skipped.toLocaleString() + " of them left out (not in Plex, ignored, undone)" : "") + "; " + (facts.counts.filled ? "fields of " + many(facts.counts.filled, "scene") + " would be filled." : "nothing is to be filled.")),
      e(Tiles, { counts: facts.counts.fields }),
      facts.missing.length > 0 && e("p", null, "Not in Stash, so left out: " + facts.missing.map((one) => one.name).join(", ") + ((facts.listed || {}).missing ? " and more" : "") + "."),
      facts.create.length > 0 && e("p", null, "Created first: " + facts.create.map((one) => one.name).join(", ") + ((facts.listed || {}).create ? " and more" : "") + "."),
      scenes.length > 0 &&
        e(Rows, {
          heads: ["scene", "would be filled"],
          rows: scenes.map((scene) =>
            e("tr", { key: scene.id }, e("td", null, e(Link, { to: "/scenes/" + scene.id }, scene.title || "scene " + scene.id)), e("td", null, scene.fields.map((one) => one.field + ": " + one.values.join(", ")).join("; ")))
          )
        }),
      facts.counts.filled > scenes.length && e("p", null, "and " + (facts.counts.filled - scenes.length).toLocaleString() + " more"),
      e(
        "div",
        { className: "plexsync-buttons" },
        facts.counts.filled > 0 && e(Button, { kind: "primary", busy: task.deeds.busy, onClick: fill }, "Fill them in Stash"),
        e(Button, { busy: task.deeds.busy, onClick: task.close }, facts.counts.filled > 0 ? "Leave it" : "Close")
      )
    );
  }

  // --- settings ---------------------------------------------------------------------------------------------------------

  // What the plugin itself gives the program: the address of Stash and the folder of the database.
  const isGiven = (one) => !one.in_stash && one.source === "environment";

  // `scene`: the one that a draft shows, with the settings that it has a draft for; without it, all, and one that it changes.
  function Settings({ scene, look: toGuide }) {
    const [facts, setFacts] = React.useState(null);
    const [search, setSearch] = React.useState("");
    const look = () => ask("page_settings").then(setFacts, (error) => setFacts({ error: error.message }));
    const deeds = useDeeds(look);
    React.useEffect(() => {
      look();
    }, []);
    if (facts === null) {
      return e("p", { role: "status" }, "Asking …");
    }
    if (!facts.settings) {
      return e(Note, { kind: "danger" }, facts.error);
    }
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one) => words.every((word) => (one.name + " " + one.name.replace(/_/g, " ") + " " + one.value + " " + one.description).toLowerCase().includes(word));
    const shown = facts.settings.filter((one) => !one.secret && !isGiven(one) && (one.shown || !scene) && fits(one) && (words.length || one.basic || one.source !== "default"));
    const groups = [...new Set(shown.map((one) => one.group))];
    const save = (name, value) => deeds.run(name, async () => told(await ask("page_set", { name, value }), value ? name + " is saved." : name + " is at its default again."));
    return e(
      React.Fragment,
      null,
      e("label", { className: "plexsync-field" }, "Search all settings; without a search, the basic ones and those that are set", e("input", { type: "search", className: "form-control text-input", value: search, placeholder: "collections, poster, rating …", onChange: (event) => setSearch(event.target.value) })),
      deeds.said && e(Note, { kind: deeds.said.kind }, deeds.said.text),
      shown.length === 0 && e("p", null, "No setting fits."),
      groups.map((group) =>
        e(
          "section",
          { key: group, "aria-label": group || "More" },
          e("h2", null, group || "More"),
          shown.filter((one) => one.group === group).map((one) => e(Setting, { key: one.name + "=" + one.value, one, deeds, save, scene, toGuide }))
        )
      )
    );
  }

  function Setting({ one, deeds, save, scene, toGuide }) {
    const [value, setValue] = React.useState(one.value);
    const task = useLonger();
    const show = (id) => task.begin("draft", { name: one.name, value, ...(id ? { scene: id } : {}) });
    const draft = task.found && task.found.args.value === value && task.found.facts;
    const isSwitch = one.default === "true" || one.default === "false";
    // The token is sent to the address: another one is chosen in the guide, which signs in for it.
    const isSignedIn = one.name === "plex_url" && one.set && !one.problem;
    const signIn = () => deeds.run("guide", async () => (told(await ask("setup_stage", { stage: "sign-in" })), toGuide(), ""));
    return e(
      "div",
      { className: "plexsync-setting" },
      e(
        "label",
        null,
        e("strong", null, one.name),
        one.fixed || isSignedIn
          ? e("div", null, one.value || "–")
          : isSwitch
          ? e("select", { className: "form-control text-input", value, onChange: (event) => setValue(event.target.value) }, ["true", "false"].map((name) => e("option", { key: name, value: name }, name === "true" ? "on" : "off")))
          : e("input", { type: "text", className: "form-control text-input", value, onChange: (event) => setValue(event.target.value) })
      ),
      e("small", null, one.description + (one.source === "default" ? "" : " From: " + one.source + ".") + (one.fixed ? " " + one.fixed : "")),
      one.problem && e(Note, { kind: "danger" }, one.name + " " + one.problem),
      e(
        "div",
        { className: "plexsync-buttons" },
        value !== one.value && one.shown && e(Button, { busy: task.deeds.busy, onClick: () => show(scene) }, "Preview " + one.name),
        value !== one.value && e(Button, { kind: "primary", busy: deeds.busy || task.deeds.busy, onClick: () => save(one.name, value) }, "Save " + one.name),
        isSignedIn && !one.fixed && e(Button, { busy: deeds.busy, onClick: signIn }, "Sign in, and choose another server"),
        !one.fixed && !isSignedIn && !["default", "look"].includes(one.source) && one.default !== "required" && value === one.value && e(Button, { busy: deeds.busy, onClick: () => save(one.name, "") }, "Back to the default of " + one.name)
      ),
      e(Progress, { task }),
      draft && e(Draft, { facts: draft, show, busy: task.deeds.busy })
    );
  }

  // A scene in Plex, now and with the value that is typed, and how many scenes it changes.
  function Draft({ facts, show, busy }) {
    const { scene, named } = facts;
    return e(
      Note,
      { kind: facts.problem ? "warning" : "info" },
      facts.problem && "What it changes in Plex can't be shown now: " + facts.problem,
      !facts.problem && e("p", null, e("strong", null, facts.settings.length ? "Changes " + facts.changed.toLocaleString() + " of " + many(facts.looked, "scene") + (facts.collections ? ", and " + many(facts.collections, "collection") : "") + ". " : "It is the value in use. "), facts.leaving ? many(facts.leaving, "scene") + " would no longer be written: what Plex has of them stays. " : "", facts.by_hand ? "It replaces " + many(facts.by_hand, "picture") + " chosen in Plex. " : "", facts.unclear ? facts.unclear + ". " : "", Object.entries(facts.created || {}).map(([name, count]) => "Playlist “" + name + "” would be created, with " + many(count, "scene") + ". "), (facts.deleted || []).map((name) => "Playlist “" + name + "” would be deleted. "), "Nothing was saved yet."),
      named && named.length > 0 && e("p", null, "Look at ", named.map((id) => e(Button, { key: id, busy, onClick: () => show(id) }, "#" + id))),
      scene && e("p", null, e(Link, { to: "/scenes/" + scene.id }, scene.title || "scene " + scene.id), scene.why ? ": " + scene.why : scene.items.some((item) => item.fields.length + item.pictures.length) ? "" : ": as before"),
      scene &&
        scene.items.map((item) =>
          e(
            React.Fragment,
            { key: item.key },
            item.pictures.map((one) => e("div", { key: one.field, className: "plexsync-shots" }, ["old", "new"].map((side) => e("figure", { key: side }, one[side] && e("img", { src: one[side], alt: "" }), e("figcaption", null, FIELDS[one.field] + (side === "old" ? " now" : " with this") + (one[side] ? "" : ": Plex's own")))))),
            item.fields.length > 0 && e(Rows, { heads: ["field of " + (item.title || "item " + item.key), "Plex shows", "would show"], rows: item.fields.map((one) => e("tr", { key: one.field }, e("th", { scope: "row" }, FIELDS[one.field] || one.field), e("td", null, shownAs(one.field, one.old)), e("td", null, shownAs(one.field, one.new)))) })
          )
        )
    );
  }

  // --- all of it --------------------------------------------------------------------------------------------------------

  // Each part asks only once it is opened.
  function Part({ name, children }) {
    const [open, setOpen] = React.useState(false);
    return e(
      "section",
      { className: "plexsync-part", "aria-label": name },
      e("button", { type: "button", className: "btn btn-link plexsync-fold", "aria-expanded": open ? "true" : "false", onClick: () => setOpen(!open) }, (open ? "▾ " : "▸ ") + name),
      open && e("div", null, children)
    );
  }

  function Actions({ look }) {
    return e(
      React.Fragment,
      null,
      e(Part, { name: "Take back" }, e(TakeBack, { look })),
      e(Part, { name: "Import from Plex" }, e(Import, { look })),
      e(Part, { name: "Settings" }, e(Settings, { look })),
      e(Part, { name: "Sign in to Plex" }, e("p", null, "For a new token of Plex; the rest stays as it is set up."), e(SignIn, { look }))
    );
  }

  Object.assign(page, { Actions, Part, Plays, Settings, SignInNeeded });
})();
