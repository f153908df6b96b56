"""The engine: the circuit breaker, the pass over one batch, the loop around it, and the verbs that all doors share."""
