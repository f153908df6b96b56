"""Which item of Plex shows which scene of Stash, and whether it is still the same one."""
