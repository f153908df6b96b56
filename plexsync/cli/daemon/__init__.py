"""What a command that runs for long needs: signals, changed settings, the dashboard beside it, its end."""
