"""The steps of a set-up; who asks for them in a terminal; and how far the one on the page in Stash is."""
