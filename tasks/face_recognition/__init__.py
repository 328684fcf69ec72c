"""Who is in a picture of a face, and whether two are of one person."""
