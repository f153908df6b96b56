"""What people can ask for: verbs, their subjects, and one table of both. Commands, API and pages are made from it."""
