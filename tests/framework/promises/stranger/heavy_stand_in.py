"""In the place of a package that takes seconds to import."""
