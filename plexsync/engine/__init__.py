"""The engine: the pass over one batch, the loop around it, gates, and the verbs that all entry points share."""
