"""The dashboard: web pages of what PlexSync knows, and the same facts as JSON for programs.

It runs as a child process of `plexsync serve` and shares only the database with the worker. The server renders all
pages (Starlette, Jinja2); the one script only keeps an open page up to date. To add a page:

* A module `web/<subject>_pages.py` holds `routes`, a list of `page("/path", handler)` and `action("/path", handler)`
  (`plexsync.web.pages`). `plexsync.web.app.MODULES` names the module. A handler only translates: facts come from
  `plexsync/reports/`, and an action calls a function of `plexsync/engine/` or `plexsync/app/`.
* A handler is a plain function from `PageCall` to a response. It runs in one of the desk's few threads, never in the event
  loop. `call.path`, `call.query` and `call.form` hold texts; `call.number("id")` is a checked number of the path.
  `raise PageNotFound` answers 404, `raise Wrong("...")` answers 400 with that line; database errors become 503.
* `call.parts` are the parts (`plexsync.app.parts.Parts`): read with `with call.reading() as db`.
  Code that sends requests to Stash or Plex runs inside `with call.desk.looking() as parts`, one at a time, since gates
  and inspector are bound to one thread. `call.look(find)` does so, and says why nothing can be found now.
* `call.show("scene.html", ...)` renders a template that extends `base.html`. Undefined names are errors, all texts are
  escaped. Foreign texts go through the filter `line` (no control or bidirectional characters). `parts.html` has the
  macros: `moment`, `badge`, `button`, `figure`.
* With several Plex servers each has a desk of its own, and `call.desk` is that of the page's server. Paths in handlers and
  templates are those of a single server: `href`, `src`, `action` and redirects get the prefix of the server when the page
  leaves (`plexsync.web.addresses`).
* Every change is an action: a form with method post and `{{ token() }}` in it, or the macro `button`. It answers
  `call.to("/path", "what was done")`: 303, with a notice that the next page shows. A GET changes nothing.
* Live updates: when the database changes, an element with `data-live` and an `id` is replaced by the element with the
  same id from a fresh copy of the page. Nothing else is needed; without script, you reload the page. Put no form that
  you fill in into such an element.
* No script and no style inside pages (the policy forbids both, `style=` too): use classes in `static/dashboard.css`. A
  chart is the template `chart.svg`, included in the page, and takes its colours from them.
* The same facts for programs: `plexsync/web/api.py`, the shapes of `plexsync ... --json`.
"""
