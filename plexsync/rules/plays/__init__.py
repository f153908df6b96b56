"""What is brought back to Stash: plays, resume points and ratings."""
