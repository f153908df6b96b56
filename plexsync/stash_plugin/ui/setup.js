/* The set-up guide of PlexSync inside Stash: from an empty plugin to the first scene in sync, step by step.
 *
 * What is known is kept on the side of the server: the page asks for the step that is next, and shows it. So a page that is
 * loaded again, or a second one, goes on where it was. No token reaches the page.
 */
(function () {
  "use strict";

  const page = window.PlexSyncPage;
  if (!page) {
    return;
  }
  const { React, e, ask, told, many, shownAs, useDeeds, Note, Button, Link, FIELDS } = page;
  const SOON = 1000;
  // plex.tv is asked no more often than a person confirms.
  const CONFIRM = 2500;

  const STEPS = [
    ["packages", "Packages"],
    ["sign-in", "Sign in to Plex"],
    ["server", "Server"],
    ["libraries", "Libraries"],
    ["paths", "Path mapping"],
    ["preview", "Preview"],
    ["work", "First scenes"]
  ];

  // Asks again and again while the page is visible; what one answer says is shown until the next.
  function useEvery(pace, deed) {
    const current = React.useRef(deed);
    current.current = deed;
    React.useEffect(() => {
      if (!pace) {
        return undefined;
      }
      let over = false;
      let under = false;
      const timer = window.setInterval(async () => {
        if (under || document.visibilityState !== "visible") {
          return;
        }
        under = true;
        await current.current(() => over);
        under = false;
      }, pace);
      return () => {
        over = true;
        window.clearInterval(timer);
      };
    }, [pace]);
  }

  // `again`: it was set up before, so the guide can be left.
  function Guide({ first, close, again }) {
    const [state, setState] = React.useState(first);
    const [trouble, setTrouble] = React.useState("");
    const looks = React.useRef({ asked: 0, shown: 0 });
    const look = React.useCallback(async () => {
      const number = ++looks.current.asked;
      try {
        const found = await ask("setup_state");
        if (number < looks.current.shown) {
          return; // Another look, which was begun later, has been answered before.
        }
        looks.current.shown = number;
        setTrouble(found.error || "");
        if (found.stage) {
          setState(found);
        } else if (!found.error) {
          close();
        }
      } catch (error) {
        setTrouble(error.message);
      }
    }, [close]);
    const deeds = useDeeds(look);
    React.useEffect(() => {
      const before = document.title;
      document.title = "PlexSync: set up";
      return () => {
        document.title = before;
      };
    }, []);
    const Part = PARTS[state.stage] || Unknown;
    const now = STEPS.findIndex(([name]) => name === state.stage);
    return e(
      "div",
      { className: "plexsync-page plexsync-guide" },
      e("h1", null, "Set up PlexSync"),
      e(
        "ol",
        { className: "plexsync-steps", "aria-label": "Steps" },
        STEPS.map(([name, words], n) =>
          e("li", { key: name, className: n < now ? "plexsync-past" : n === now ? "plexsync-now" : "", "aria-current": n === now ? "step" : undefined }, words)
        )
      ),
      deeds.said && e(Note, { kind: deeds.said.kind }, lines(deeds.said.text)),
      trouble && e(Note, { kind: "danger" }, lines(trouble)),
      e("section", { "aria-label": now < 0 ? "Step" : STEPS[now][1] }, e(Part, { key: state.stage, state, deeds, look, setTrouble, close, again }))
    );
  }

  function lines(text) {
    return String(text).split("\n").map((line, n) => e("p", { key: n }, line));
  }

  function Unknown() {
    return e("p", null, "This step is not known to this page: load it again.");
  }

  // One action of the guide: the answer's error is shown, and then the next step is looked for.
  function act(deeds, mode, args, done) {
    return deeds.run(mode, async () => told(await ask(mode, args), done || ""));
  }

  function finish(deeds, close) {
    return deeds.run("finish", async () => {
      told(await ask("setup_finish"));
      close();
    });
  }

  function Progress({ words, part }) {
    const known = typeof part === "number";
    return e(
      "div",
      { className: "plexsync-progress" },
      e("p", { role: "status" }, words + " …" + (known ? " " + Math.round(part * 100) + " %" : "")),
      e("div", { className: "progress" }, e("div", { className: "progress-bar" + (known ? "" : " progress-bar-striped progress-bar-animated"), style: { width: (known ? Math.round(part * 100) : 100) + "%" } }))
    );
  }

  function Back({ to, deeds, children }) {
    return e(Button, { busy: deeds.busy, onClick: () => act(deeds, "setup_stage", { stage: to }) }, children);
  }

  // --- the steps ------------------------------------------------------------------------------------------------------

  function Packages({ state, deeds, look }) {
    const installation = state.installation || {};
    useEvery(installation.running ? SOON : 0, look);
    const install = () => act(deeds, "setup_install");
    return e(
      React.Fragment,
      null,
      e(
        "p",
        null,
        state.outdated
          ? "PlexSync was updated, and needs other packages. They are installed by themselves; what ran before goes on until then."
          : "PlexSync needs some Python packages. They are downloaded into a folder of its own, each pinned and checked by its hash; Stash's Python stays as it is."
      ),
      installation.error && !installation.running && e(Note, { kind: "danger" }, lines(installation.error)),
      installation.running
        ? e(Progress, { words: "Installing the packages", part: installation.part })
        : e(Button, { kind: "primary", busy: deeds.busy, onClick: install }, installation.error ? "Try again" : "Install the packages"),
      !state.outdated &&
        e("p", { className: "plexsync-aside" }, "If PlexSync runs elsewhere, in a container for instance, nothing has to be set up here: events are recorded for it without packages.")
    );
  }

  function SignIn({ state, deeds, look, setTrouble, close, again }) {
    const pin = state.pin;
    const had = React.useRef(false);
    had.current = had.current || !!pin;
    useEvery(pin ? CONFIRM : 0, async (over) => {
      try {
        const found = await ask("setup_check");
        if (!over()) {
          setTrouble(found.error || "");
          if (!found.error && (found.stage !== "sign-in" || !found.pin || found.pin.code !== pin.code)) {
            await look();
          }
        }
      } catch (error) {
        if (!over()) {
          setTrouble(error.message);
        }
      }
    });
    const begin = () => act(deeds, "setup_sign_in");
    const copy = () => {
      if (navigator.clipboard) {
        navigator.clipboard.writeText(pin.code).catch(() => {});
      }
    };
    return e(
      React.Fragment,
      null,
      e("p", null, "Sign in with the account that owns the Plex server: only its owner can edit what it shows. PlexSync never sees your password."),
      !pin && had.current && e(Note, { kind: "warning" }, "The PIN was not confirmed in time: get a new one."),
      pin
        ? e(
            React.Fragment,
            null,
            e("p", null, "Open the page of Plex, and enter this PIN there:"),
            e("p", { className: "plexsync-pin", "aria-label": "PIN" }, pin.code),
            e(
              "div",
              { className: "plexsync-buttons" },
              e("a", { className: "btn btn-primary", href: pin.link, target: "_blank", rel: "noopener noreferrer", onClick: copy }, "Open " + pin.link.replace("https://", "")),
              e(Button, { busy: deeds.busy, onClick: begin }, "Get a new PIN")
            ),
            e("p", { role: "status" }, "Waiting for you to confirm it …")
          )
        : e(Button, { kind: "primary", busy: deeds.busy, onClick: begin }, deeds.busy ? "Asking plex.tv …" : "Sign in to Plex"),
      again
        ? e("p", { className: "plexsync-aside" }, e(Button, { busy: deeds.busy, onClick: () => finish(deeds, close) }, "Leave it as it is set up"))
        : e("p", { className: "plexsync-aside" }, "Or enter address and token by hand, under Settings, Plugins, PlexSync, and load this page again.")
    );
  }

  function Server({ state, deeds }) {
    const [chosen, setChosen] = React.useState(0);
    const [address, setAddress] = React.useState("");
    const servers = state.servers || [];
    const connect = () => act(deeds, "setup_server", { server: chosen, address });
    return e(
      React.Fragment,
      null,
      e("p", null, "Signed in" + (state.account ? " as " + state.account : "") + ". " + (servers.length === 1 ? "This server was found:" : "These servers were found. Which one shows the videos of this Stash?")),
      servers.map((one, n) =>
        e(
          "label",
          { key: n, className: "plexsync-choice" },
          e("input", { type: "radio", name: "server", checked: n === chosen, onChange: () => setChosen(n) }),
          " ",
          e("strong", null, one.name || "a server without a name"),
          e("small", null, one.addresses.join(", "))
        )
      ),
      e(
        "label",
        { className: "plexsync-field" },
        "Address (empty: the first of these that answers)",
        e("input", { type: "text", className: "form-control text-input", value: address, placeholder: "http://192.168.1.10:32400", onChange: (event) => setAddress(event.target.value) })
      ),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(Button, { kind: "primary", busy: deeds.busy, onClick: connect }, deeds.busy ? "Trying its addresses …" : "Use this server"),
        e(Back, { to: "sign-in", deeds }, "Sign in with another account")
      )
    );
  }

  function Libraries({ state, deeds }) {
    const plex = state.plex || { libraries: [] };
    const [chosen, setChosen] = React.useState(plex.libraries.map((one) => one.title));
    const toggle = (title) => setChosen(chosen.includes(title) ? chosen.filter((one) => one !== title) : chosen.concat([title]));
    return e(
      React.Fragment,
      null,
      e("p", null, e("strong", null, plex.name || "Plex"), " answers at " + plex.url + ", version " + plex.version + "."),
      plex.warning && e(Note, { kind: "warning" }, plex.warning),
      e("p", null, "Which movie libraries hold the videos of this Stash? The others stay untouched."),
      plex.libraries.map((one) =>
        e(
          "label",
          { key: one.title, className: "plexsync-choice" },
          e("input", { type: "checkbox", checked: chosen.includes(one.title), onChange: () => toggle(one.title) }),
          " ",
          e("strong", null, one.title),
          e("small", null, (one.other_videos ? "Other Videos, synced as movies are: " : "") + one.folders.join(", "))
        )
      ),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(Button, { kind: "primary", busy: deeds.busy, onClick: () => act(deeds, "setup_libraries", { libraries: chosen }) }, "Use these libraries"),
        e(Back, { to: "server", deeds }, "Choose another server")
      )
    );
  }

  // Starts the longer step of this stage when there is no result yet, and asks how far it is. It starts only once.
  function useLonger({ state, look, setTrouble }) {
    const idle = !state.runs && !state.result && !state.failed;
    const waited = React.useRef(0);
    const begin = React.useCallback(async () => {
      waited.current = 0;
      try {
        const found = await ask("setup_begin", { stage: state.stage });
        if (found.error) {
          setTrouble(found.error);
        }
      } catch (error) {
        setTrouble(error.message);
      }
      await look();
    }, [state.stage, look, setTrouble]);
    React.useEffect(() => {
      if (idle && waited.current === 0) {
        begin();
      }
    }, [idle, begin]);
    useEvery(state.result || state.failed ? 0 : SOON, async () => {
      waited.current = state.runs ? 1 : waited.current + 1;
      // A process that never came to its work is started anew.
      await (waited.current > 15 ? begin() : look());
    });
    return begin;
  }

  function counts(found) {
    return (
      "Of " + many(found.scenes, "scene") + " looked at, " + found.by_path + (found.by_path === 1 ? " is found in Plex by its full path" : " are found in Plex by their full path") +
      (found.by_name ? ", " + found.by_name + " by name and size alone" : "") + (found.missing ? ", " + found.missing + " not at all" : "") + "."
    );
  }

  // A stage with a longer step: its progress, then its result.
  function LongerStage(props) {
    const { state, deeds } = props;
    const begin = useLonger(props);
    const again = () => deeds.run("again", begin);
    const found = state.result;
    return e(
      React.Fragment,
      null,
      state.plex && e("p", { className: "plexsync-aside" }, "Plex: " + (state.plex.name || "a server") + " at " + state.plex.url + (state.plex.chosen.length === 1 ? ", library " : ", libraries ") + state.plex.chosen.join(", ") + "."),
      e("p", null, props.words),
      !found && !state.failed && e(Progress, { words: state.doing || "Starting", part: state.part }),
      state.failed && e(Note, { kind: "danger" }, lines(state.failed)),
      found && e(props.shows, { found, deeds }),
      e(
        "div",
        { className: "plexsync-buttons" },
        state.failed && e(Button, { kind: "primary", busy: deeds.busy, onClick: again }, "Try again"),
        found && e(Button, { busy: deeds.busy, onClick: again }, "Look again"),
        e(Back, { to: props.before, deeds }, props.back)
      )
    );
  }

  function Paths(props) {
    const words = "Stash and Plex may see the same file under different folders. PlexSync compares the files of some scenes, and learns the rules between them.";
    return e(LongerStage, { ...props, words, shows: Rules, before: "libraries", back: "Choose other libraries" });
  }

  function Rules({ found, deeds }) {
    const all = found.rules.concat(found.suggestions.map((one) => one.rule));
    const [text, setText] = React.useState(all.join("\n"));
    const well = found.after.scenes > 0 && found.after.by_path > 0;
    return e(
      React.Fragment,
      null,
      e("p", null, found.now.scenes ? counts(found.now) : "Stash has no scene with a file yet, so no rule can be learnt."),
      found.suggestions.length > 0 && e("p", null, e("strong", null, "With the rules below: "), counts(found.after)),
      found.now.scenes > 0 && !well &&
        e(Note, { kind: "warning" }, "No file is found by its full path. Do the chosen libraries hold these files, and has Plex scanned them? If their folders have other names in Plex, say below how."),
      found.examples.length > 0 &&
        e(
          "div",
          { className: "plexsync-wide" },
          e(
            "table",
            { className: "table table-striped" },
            e("thead", null, e("tr", null, e("th", { scope: "col" }, "file in Stash"), e("th", { scope: "col" }, "where PlexSync looks for it in Plex"))),
            e("tbody", null, found.examples.map((one) => e("tr", { key: one.stash }, e("td", null, one.stash), e("td", null, one.plex))))
          )
        ),
      e(
        "label",
        { className: "plexsync-field" },
        all.length ? "Path rules, one on each line" : "Path rules, one on each line: none is needed if both use the same paths",
        e("textarea", { className: "form-control text-input", rows: Math.max(2, all.length + 1), value: text, placeholder: "/data => /media/stash", onChange: (event) => setText(event.target.value) })
      ),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(Button, { kind: "primary", busy: deeds.busy, onClick: () => act(deeds, "setup_rules", { rules: text }) }, text.trim() ? "Use these rules" : "Go on without rules")
      )
    );
  }

  function Preview(props) {
    const words = "This is what the first write would change. Nothing has been written to Plex yet, and everything can be undone later.";
    return e(LongerStage, { ...props, words, shows: FirstWrite, before: "paths", back: "Change the path mapping" });
  }

  function FirstWrite({ found, deeds }) {
    const start = (all) => act(deeds, "setup_approve", { all });
    return e(
      React.Fragment,
      null,
      e(Changes, { found }),
      e(
        "div",
        { className: "plexsync-buttons" },
        e(
          Button,
          { kind: "primary", busy: deeds.busy, onClick: () => start(true) },
          deeds.busy === "setup_approve" ? "Starting the worker …" : "Approve, and sync " + (found.total === 1 ? "this scene" : "all " + many(found.total, "scene"))
        ),
        e(Button, { busy: deeds.busy, onClick: () => start(false), title: "Approve the whole library later, on the page of PlexSync" }, "Only sync what I edit from now on")
      )
    );
  }

  // What a sync of all would change: the counts, and some scenes in full.
  function Changes({ found }) {
    return e(
      React.Fragment,
      null,
      e(
        "div",
        { className: "plexsync-tiles" },
        e(Tile, { word: "scenes compared", count: found.total }),
        found.counts.map(([word, count]) => e(Tile, { key: word, word, count })),
        found.posters > 0 && e(Tile, { word: "posters would change", count: found.posters })
      ),
      found.scenes.length > 0 && e("h2", null, "For example"),
      found.scenes.map((scene) =>
        e(
          "details",
          { key: scene.id, open: scene === found.scenes[0] },
          e("summary", null, scene.title || "scene " + scene.id),
          scene.items.some((item) => item.fields.some((one) => one.field === "thumb")) &&
            e("img", { className: "plexsync-cover", src: new URL("scene/" + scene.id + "/screenshot", document.baseURI).href, alt: "The picture in Stash", loading: "lazy" }),
          scene.items.map((item) =>
            e(
              "div",
              { key: item.key, className: "plexsync-wide" },
              e(
                "table",
                { className: "table table-striped" },
                e("thead", null, e("tr", null, ["field", "Plex shows", "would show"].map((head) => e("th", { key: head, scope: "col" }, head)))),
                e("tbody", null, item.fields.map((one) => e("tr", { key: one.field }, e("th", { scope: "row" }, FIELDS[one.field] || one.field), e("td", null, brief(one.field, one.old)), e("td", null, brief(one.field, one.new)))))
              )
            )
          )
        )
      )
    );
  }

  function brief(field, value) {
    const text = shownAs(field, value);
    return text.length > 160 ? text.slice(0, 160) + " …" : text;
  }

  function Tile({ word, count }) {
    return e("div", { className: "plexsync-tile" }, e("strong", null, Number(count).toLocaleString()), e("span", null, word));
  }

  function Work({ deeds, close, state, setTrouble }) {
    const [facts, setFacts] = React.useState(null);
    const askNow = async (over) => {
      try {
        const found = await ask("page_status");
        if (!over()) {
          setTrouble(found.error || "");
          setFacts(found.error ? facts : found);
        }
      } catch (error) {
        if (!over()) {
          setTrouble(error.message);
        }
      }
    };
    useEvery(CONFIRM, askNow);
    React.useEffect(() => {
      let over = false;
      askNow(() => over);
      return () => {
        over = true;
      };
    }, []);
    const count = (name) => (facts && facts.scenes[name] ? facts.scenes[name].count : 0);
    const synced = count("in_step");
    const inSync = many(synced, "scene") + " in sync" + (facts && facts.kept_fields ? " but for " + many(facts.kept_fields, "field") + " kept in Plex" : "");
    const queued = count("waiting");
    return e(
      React.Fragment,
      null,
      facts === null && e("p", { role: "status" }, "Asking …"),
      facts && !facts.worker.running && e(Note, { kind: "warning" }, "The worker rests: it starts again when something happens."),
      facts && queued > 0 && e(Progress, { words: inSync + ", " + queued.toLocaleString() + " queued", part: synced / (synced + queued) }),
      facts && queued === 0 &&
        e(Note, { kind: "success" }, synced ? inSync + ". PlexSync is set up: what you edit in Stash is in Plex a moment later." : "PlexSync is set up. Edit a scene in Stash: it is in Plex a moment later."),
      count("absent") > 0 && e("p", null, many(count("absent"), "scene") + " not in Plex yet: PlexSync looks again after each scan of Plex."),
      count("failed") + count("ambiguous") > 0 && e("p", null, many(count("failed") + count("ambiguous"), "scene") + " need you: the page of PlexSync lists them."),
      state.scenes && state.scenes.length > 0 && e("ul", null, state.scenes.map((one) => e("li", { key: one.id }, e(Link, { to: "/scenes/" + one.id }, one.title || "scene " + one.id)))),
      e("div", { className: "plexsync-buttons" }, e(Button, { kind: "primary", busy: deeds.busy, onClick: () => finish(deeds, close) }, "Finish"))
    );
  }

  const PARTS = { packages: Packages, "sign-in": SignIn, server: Server, libraries: Libraries, paths: Paths, preview: Preview, work: Work };

  page.Guide = Guide;
  page.Changes = Changes;
})();
