"""The words for what people see, and texts as they are compared."""
