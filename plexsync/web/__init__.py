"""The dashboard: what PlexSync knows, in a browser; and the same facts as JSON, for machines.

It runs as a child of `plexsync serve`, a process of its own, and meets the worker in the database alone. Everything is
made on the server (Starlette, Jinja2); the one script only keeps an open page up to date. How a page is added:

* A module `web/<subject>_pages.py` holds `routes`, a list of `page("/path", handler)` and `action("/path", handler)`
  (`plexsync.web.pages`). `plexsync.web.app.MODULES` names the module. A door is thin: facts come from
  `plexsync/reports/`, what is done is a verb of
  `plexsync/engine/` or `plexsync/app/`.
* A handler is a plain function from `Ask` to a response; it runs in one of the desk's few threads, never in the event
  loop. `ask.path`, `ask.query` and `ask.form` hold texts; `ask.number("id")` is a checked number of the path.
  `raise Absent` answers 404, `raise Wrong("...")` answers 400 with that line; faults of the database become 503.
* `ask.desk.parts` are the parts (`plexsync.app.parts.Parts`): read with `with ask.desk.parts.store.reading() as db`.
  What asks Stash or Plex runs inside `with ask.desk.looking() as parts`, one at a time, since gates and looker belong to
  one thread.
* `ask.show("scene.html", ...)` renders a template that extends `base.html`; undefined names are faults, all texts are
  escaped. Texts of others go through the filter `line` (no control or bidirectional characters). `parts.html` has the
  macros: `moment`, `badge`, `button`, `figure`.
* What changes something is an action: a form with method post and `{{ token() }}` in it, or the macro `button`. It answers
  `ask.to("/path", "what was done")`: 303, with a notice that the next page shows. A GET changes nothing.
* Live: an element with `data-live` and an `id` is replaced whenever the database has changed, by the element of the same
  id in the same page, fetched anew. Nothing else is needed; without script the page is reloaded by hand. Put no form that a
  person fills in into such an element.
* Neither script nor style inside pages (the policy forbids both, `style=` too): classes in `static/dashboard.css`. A
  chart is the template `chart.svg`, included in the page, and takes its colours from them.
* The same facts for machines: `plexsync/web/api.py`, the shapes of `plexsync ... --json`.
"""
