"""One folder for each thing that is kept in step, top to bottom: look, plan, push."""
