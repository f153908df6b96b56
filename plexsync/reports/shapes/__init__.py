"""The shapes that several reports share, or that are read apart from what fills them: the keys of `--json`, the API and
the pages, a module per topic. The others stand in the modules of their reports.

A report is a plain dict of its shape, so it is written as JSON without conversion, and the type check knows every key.
Types only, so `status`, which has to start fast, does not import them. `docs/api-shapes.md` is made from the docstrings
of classes and fields (`make shapes-page`).
"""
