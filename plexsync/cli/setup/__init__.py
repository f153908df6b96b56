"""The steps of a set-up by the page in Stash: each is short, and what is known so far is kept beside the database."""
