"""What is decided about jobs, gates and outages, and what is told of them."""
