"""Status reports as plain facts. The terminal's tables and JSON, the pages and the API all show these."""
