"""No domain in particular: pictures in labelled folders or a table."""
