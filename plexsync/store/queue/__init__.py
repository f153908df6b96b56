"""The tables of the queue: jobs, attempts, breakers, marks, and the figures about them."""
